-- A search engine over a stream of documents: an inverted index maps words to
-- posting lists with positions; the newest documents are searchable, the oldest
-- drop out segment by segment. Churns words (strings), postings and position
-- lists, and query results, over a large live heap.

local SEGMENTS, DOCUMENTS_PER_SEGMENT = 12, 220
local WORDS_PER_DOCUMENT = 90
local VOCABULARY = 12000

local function lcg(seed)
  return function(n) -- an integer in 1..n
    seed = seed * 16807 % 2147483647
    return seed % n + 1
  end
end

local function expect(what, got, expected)
  if got ~= expected then
    error(("textindex: %s: expected %s, got %s"):format(what, expected, got))
  end
end

local SYLLABLES = { "ka", "lo", "mi", "ne", "pu", "ra", "so", "ti", "ve", "zu" }

-- Each number has a word of its own: its decimal digits in syllables.
local function word_of(number)
  return (("%d"):format(number):gsub("%d", function(digit) return SYLLABLES[digit + 1] end))
end

local vocabulary = {}
for number = 0, VOCABULARY do vocabulary[number] = word_of(number) end

local function make_text(random)
  local words = {}
  for i = 1, WORDS_PER_DOCUMENT do
    -- A product of three even choices makes small numbers much more frequent.
    local product = random(VOCABULARY) * random(VOCABULARY) * random(VOCABULARY)
    words[i] = vocabulary[math.floor(product / VOCABULARY ^ 2)]
  end
  return table.concat(words, " ") .. "."
end

-- A segment indexes a batch of documents and never changes afterwards.

local Segment = {}
Segment.__index = Segment

function Segment.new() return setmetatable({ postings = {}, documents = {} }, Segment) end

function Segment:add(id, text)
  local seen, place = {}, 0
  for word in text:gmatch("%a+") do
    place = place + 1
    local posting = seen[word]
    if not posting then
      posting = { id = id, positions = {} }
      seen[word] = posting
      local list = self.postings[word]
      if not list then
        list = {}
        self.postings[word] = list
      end
      list[#list + 1] = posting
    end
    posting.positions[#posting.positions + 1] = place
  end
  self.documents[id] = text
end

local NOTHING = {}

-- The documents that hold both words, best first: an array of { id, score }.
function Segment:search(word_a, word_b, results)
  local a, b = self.postings[word_a] or NOTHING, self.postings[word_b] or NOTHING
  local i, j = 1, 1
  while a[i] and b[j] do
    if a[i].id < b[j].id then
      i = i + 1
    elseif a[i].id > b[j].id then
      j = j + 1
    else
      results[#results + 1] = { id = a[i].id, score = #a[i].positions + #b[j].positions }
      i, j = i + 1, j + 1
    end
  end
end

local function best_first(x, y)
  if x.score ~= y.score then return x.score > y.score end
  return x.id < y.id
end

local function search(segments, word_a, word_b)
  local results = {}
  for _, segment in ipairs(segments) do segment:search(word_a, word_b, results) end
  table.sort(results, best_first)
  return results
end

-- Compares a search with reading every text: how many documents hold both
-- words, and how often the words occur in them.
local function check_search(segments, word_a, word_b)
  local score = 0
  local results = search(segments, word_a, word_b)
  for _, result in ipairs(results) do score = score + result.score end

  local documents, occurrences = 0, 0
  local pattern_a, pattern_b = "%f[%a]" .. word_a .. "%f[%A]", "%f[%a]" .. word_b .. "%f[%A]"
  for _, segment in ipairs(segments) do
    for _, text in pairs(segment.documents) do
      local _, count_a = text:gsub(pattern_a, "")
      local _, count_b = text:gsub(pattern_b, "")
      if count_a > 0 and count_b > 0 then
        documents, occurrences = documents + 1, occurrences + count_a + count_b
      end
    end
  end
  expect("documents with " .. word_a .. " and " .. word_b, #results, documents)
  expect("score of " .. word_a .. " and " .. word_b, score, occurrences)
end

-- Adding up all positions: each document gives 1 + 2 + ... + WORDS_PER_DOCUMENT.
local function check_positions(segment)
  local words, sum = 0, 0
  for _, list in pairs(segment.postings) do
    for _, posting in ipairs(list) do
      for _, place in ipairs(posting.positions) do
        words, sum = words + 1, sum + place
      end
    end
  end
  expect("indexed words", words, DOCUMENTS_PER_SEGMENT * WORDS_PER_DOCUMENT)
  expect("sum of positions", sum, DOCUMENTS_PER_SEGMENT * WORDS_PER_DOCUMENT * (WORDS_PER_DOCUMENT + 1) / 2)
end

return function(scale)
  local random = lcg(60)
  local segments, next_id = {}, 1
  -- A quick run keeps a smaller index, or building it would be all there is.
  local wanted = math.max(2, math.floor(SEGMENTS * math.min(1, 0.25 + scale)))

  local function add_documents(count)
    for _ = 1, count do
      local newest = segments[#segments]
      if not newest or next_id % DOCUMENTS_PER_SEGMENT == 1 then
        newest = Segment.new()
        segments[#segments + 1] = newest
        if #segments > wanted then table.remove(segments, 1) end
      end
      newest:add(next_id, make_text(random))
      next_id = next_id + 1
    end
  end

  add_documents(wanted * DOCUMENTS_PER_SEGMENT)

  for round = 1, math.max(1, math.floor(60 * scale + 0.5)) do
    add_documents(20)
    for _ = 1, 25 do
      local results = search(segments, vocabulary[random(60)], vocabulary[random(300)])
      for i = 2, #results do
        if best_first(results[i], results[i - 1]) then error("textindex: the results are not in order") end
      end
    end
    check_search({ segments[random(#segments)] }, vocabulary[random(60)], vocabulary[random(300)])
  end
  check_positions(segments[1])
  check_positions(segments[#segments - 1])
end
