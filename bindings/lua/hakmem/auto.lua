-- lua5.4 -l hakmem.auto script.lua: the script runs on hakmem, unchanged.
local hakmem = require "hakmem"
hakmem.install()
return hakmem
