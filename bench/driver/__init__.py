"""The benchmark driver behind bench/hakbench, one idea in each module.

settings     what the command line decides for a whole session
allocators   the names that can be compared, and where a peer comes from
builds       where each build of hakmem lies, and whether it is what it should be
metrics      what can be measured: unit, which way is better, how a ratio reads
child        one pinned process in a cleaned environment
suite        what every suite must provide; suites/ has one module for each
plan         turns the names asked for into comparisons, or says what is wrong
session      runs a comparison, its allocators in turn, into records
summary      medians, ratios, geometric means, best peer
report       the tables of `hakbench run`
listing      the text of `hakbench list`
metadata     what a reader needs to know to repeat a session
progress     the line that shows how far a session is, on a terminal
errors       the ways a session can fail, and their exit statuses
"""
