-- A Lisp interpreter: reader, printer, and an evaluator with lexical scope and
-- tail calls. Its programs sort, sieve, place queens and differentiate with
-- lists made of cons cells. Churns cons cells, environments and argument
-- lists, mostly very short-lived.

local function expect(what, got, expected)
  if got ~= expected then
    error(("lisp: %s: expected %s, got %s"):format(what, tostring(expected), tostring(got)))
  end
end

-- Data: numbers, strings (symbols), booleans, NIL, cons cells, and functions.

local NIL = {}

local function cons(car, cdr) return { car = car, cdr = cdr } end

local function list_of(items)
  local list = NIL
  for i = #items, 1, -1 do list = cons(items[i], list) end
  return list
end

-- Reader: an array of all expressions in the text.
local function read_all(text)
  local stack, current = {}, {}
  for token in text:gsub(";[^\n]*", ""):gsub("[()']", " %0 "):gmatch("%S+") do
    if token == "(" then
      stack[#stack + 1] = current
      current = {}
    elseif token == ")" then
      local list = list_of(current)
      current = table.remove(stack) or error("')' without '('", 0)
      current[#current + 1] = list
    elseif token == "#t" or token == "#f" then
      current[#current + 1] = token == "#t"
    else
      current[#current + 1] = tonumber(token) or token
    end
  end
  if #stack > 0 then error("'(' without ')'", 0) end
  return current
end

local function show(value)
  if value == true then return "#t" end
  if value == false then return "#f" end
  if type(value) == "number" then return ("%.0f"):format(value) end
  if type(value) == "string" then return value end
  if value ~= NIL and value.car == nil then return "#<function>" end
  local parts = {}
  while value ~= NIL do
    parts[#parts + 1] = show(value.car)
    value = value.cdr
  end
  return "(" .. table.concat(parts, " ") .. ")"
end

local function equal(a, b)
  while type(a) == "table" and type(b) == "table" and a ~= NIL and b ~= NIL do
    if not equal(a.car, b.car) then return false end
    a, b = a.cdr, b.cdr
  end
  return a == b
end

-- Evaluator. An environment is { names = table, outer = environment }.

local function lookup(environment, name)
  local scope = environment
  while scope do
    local value = scope.names[name]
    if value ~= nil then return value end
    scope = scope.outer
  end
  error("unbound name " .. name, 0)
end

local function bind(closure, arguments)
  local names, parameter, i = {}, closure.parameters, 1
  while parameter ~= NIL do
    if arguments[i] == nil then error("too few arguments", 0) end
    names[parameter.car] = arguments[i]
    parameter, i = parameter.cdr, i + 1
  end
  return { names = names, outer = closure.environment }
end

local evaluate

local function evaluate_arguments(list, environment)
  local arguments = {}
  while list ~= NIL do
    arguments[#arguments + 1] = evaluate(list.car, environment)
    list = list.cdr
  end
  return arguments
end

-- Special forms return either a value, or an expression (and environment) in
-- tail position, which the loop of `evaluate` goes on with.

local function value_of(value) return false, value end
local function go_on_with(expression, environment) return true, expression, environment end

local FORMS = {
  ["'"] = function() error("a quote stands before nothing", 0) end,
  quote = function(form) return value_of(form.car) end,
  ["if"] = function(form, environment)
    local branches = form.cdr
    if evaluate(form.car, environment) ~= false then return go_on_with(branches.car, environment) end
    return go_on_with(branches.cdr.car, environment)
  end,
  define = function(form, environment)
    local name, value = form.car, nil
    if type(name) == "table" then -- (define (name . parameters) body)
      value = { parameters = name.cdr, body = form.cdr.car, environment = environment }
      name = name.car
    else
      value = evaluate(form.cdr.car, environment)
    end
    environment.names[name] = value
    return value_of(NIL)
  end,
  lambda = function(form, environment)
    return value_of({ parameters = form.car, body = form.cdr.car, environment = environment })
  end,
  let = function(form, environment) -- (let ((name value) ...) body)
    local inner, bindings = { names = {}, outer = environment }, form.car
    while bindings ~= NIL do
      local binding = bindings.car
      inner.names[binding.car] = evaluate(binding.cdr.car, environment)
      bindings = bindings.cdr
    end
    return go_on_with(form.cdr.car, inner)
  end,
}

function evaluate(expression, environment)
  while true do
    local kind = type(expression)
    if kind == "string" then return lookup(environment, expression) end
    if kind ~= "table" or expression == NIL then return expression end
    local form = FORMS[expression.car]
    if form then
      local more, result, inner = form(expression.cdr, environment)
      if not more then return result end
      expression, environment = result, inner
    else
      local callee = evaluate(expression.car, environment)
      local arguments = evaluate_arguments(expression.cdr, environment)
      if type(callee) == "function" then return callee(arguments[1], arguments[2]) end
      expression, environment = callee.body, bind(callee, arguments)
    end
  end
end

local BUILTINS = {
  ["+"] = function(a, b) return a + b end,
  ["-"] = function(a, b) return a - b end,
  ["*"] = function(a, b) return a * b end,
  mod = function(a, b) return a % b end,
  ["="] = function(a, b) return a == b end,
  ["<"] = function(a, b) return a < b end,
  cons = cons,
  car = function(cell) return cell.car end,
  cdr = function(cell) return cell.cdr end,
  list = function(a, b) return b == nil and cons(a, NIL) or cons(a, cons(b, NIL)) end,
  ["null?"] = function(value) return value == NIL end,
  ["pair?"] = function(value) return type(value) == "table" and value ~= NIL end,
  ["equal?"] = equal,
}

local PRELUDE = [[
(define nil (quote ()))
(define (not x) (if x #f #t))
(define (append a b) (if (null? a) b (cons (car a) (append (cdr a) b))))
(define (map f l) (if (null? l) nil (cons (f (car l)) (map f (cdr l)))))
(define (filter p l)
  (if (null? l) nil
    (if (p (car l)) (cons (car l) (filter p (cdr l))) (filter p (cdr l)))))
(define (fold f acc l) (if (null? l) acc (fold f (f acc (car l)) (cdr l))))
(define (range a b) (if (< b a) nil (cons a (range (+ a 1) b))))
(define (reverse l) (fold (lambda (acc x) (cons x acc)) nil l))
(define (length l) (fold (lambda (n x) (+ n 1)) 0 l))
(define (sum l) (fold + 0 l))

(define (fib n) (if (< n 2) n (+ (fib (- n 1)) (fib (- n 2)))))

(define (sieve l)
  (if (null? l) nil
    (let ((p (car l)))
      (cons p (sieve (filter (lambda (n) (not (= 0 (mod n p)))) (cdr l)))))))

(define (sort l) ; quicksort
  (if (null? l) nil
    (let ((pivot (car l)) (rest (cdr l)))
      (append (sort (filter (lambda (x) (< x pivot)) rest))
        (cons pivot (sort (filter (lambda (x) (not (< x pivot))) rest)))))))

(define (sorted? l)
  (if (null? l) #t
    (if (null? (cdr l)) #t
      (if (< (car (cdr l)) (car l)) #f (sorted? (cdr l))))))

(define (safe? column distance placed)
  (if (null? placed) #t
    (if (= (car placed) column) #f
      (if (= (car placed) (+ column distance)) #f
        (if (= (car placed) (- column distance)) #f
          (safe? column (+ distance 1) (cdr placed)))))))
(define (queens n row placed)
  (if (< n row) 1
    (sum (map (lambda (column) (if (safe? column 1 placed) (queens n (+ row 1) (cons column placed)) 0))
      (range 1 n)))))

; Expressions are (+ a b), (* a b), x or a number.
(define (make op a b) (cons op (list a b)))
(define (derive e)
  (if (pair? e)
    (let ((op (car e)) (a (car (cdr e))) (b (car (cdr (cdr e)))))
      (if (equal? op (quote +)) (make op (derive a) (derive b))
        (make (quote +) (make (quote *) (derive a) b) (make (quote *) a (derive b)))))
    (if (equal? e (quote x)) 1 0)))
(define (value e x)
  (if (pair? e)
    (let ((a (value (car (cdr e)) x)) (b (value (car (cdr (cdr e))) x)))
      (if (equal? (car e) (quote +)) (+ a b) (* a b)))
    (if (equal? e (quote x)) x e)))
(define (power n) (if (= n 0) 1 (make (quote *) (quote x) (power (- n 1)))))

(define (lcg n seed) (if (= n 0) nil (cons seed (lcg (- n 1) (mod (* seed 171) 30269)))))
]]

return function(scale)
  local function times(n) return math.max(1, math.floor(n * scale + 0.5)) end

  local global = { names = {} }
  for name, builtin in pairs(BUILTINS) do global.names[name] = builtin end
  local function run(text)
    local result
    for _, expression in ipairs(read_all(text)) do result = evaluate(expression, global) end
    return show(result)
  end

  run(PRELUDE)
  expect("reader and printer", run("(quote (a (b 12) () #t))"), "(a (b 12) () #t)")
  expect("comparing lists", run("(equal? (list 1 (list 2 3)) (list 1 (list 2 4)))"), "#f")
  expect("open list is refused", pcall(read_all, "(a (b)"), false)

  for i = 1, times(20) do
    expect("fib 12", run("(fib 12)"), "144")
    expect("primes below 150", run("(length (sieve (range 2 150)))"), "35")
    expect("queens on 5 x 5", run("(queens 5 1 nil)"), "10")
    expect("sorting", run("(let ((l (lcg 120 " .. i .. ")))"
      .. "(let ((s (sort l))) (list (sorted? s) (equal? (sum s) (sum l)))))"), "(#t #t)")
    -- The derivative of x^10 at 2 is 10 * 2^9; then that of x^10 + i x.
    expect("derivative", run("(value (derive (power 10)) 2)"), "5120")
    expect("derivative of a sum", run("(value (derive (make (quote +) (power 10) (make (quote *) (quote x) "
      .. i .. "))) 2)"), tostring(5120 + i))
    expect("double reverse", run("(equal? (range 1 100) (reverse (reverse (range 1 100))))"), "#t")
  end
end
