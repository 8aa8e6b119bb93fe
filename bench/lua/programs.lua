-- The programs of the suite `lua`, in the order in which they run.
-- Each is a file beside this one: a chunk that returns run(scale), which does
-- the work, checks its own result, and raises an error if it is wrong. A
-- program needs no other file. `scale` multiplies how often things are done;
-- how much is alive at once does not depend on it.
return {
  "trees", "tables", "strings", "closures", "coroutines", "simulation",
  "json", "parser", "lru", "graph", "matrix", "events", "template",
  "textindex", "persistent", "lisp", "life", "rope", "vectors", "bignum",
  "queens", "sessions",
}
