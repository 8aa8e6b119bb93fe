"""The suites by name. A new one is a module here and an entry below."""

from .burst import BurstSuite, LuaBurstSuite
from .lua import LuaJITSuite, LuaSuite
from .lua_close import LuaCloseSuite
from .lua_states import LuaStatesSuite
from .preload_mixed import PreloadMixedSuite
from .programs import ProgramsSuite
from .python import PythonChurnSuite, PythonProgramsSuite
from .random_mixed import RandomMixedSuite
from .threads import ThreadsSuite
from .whole_heap import WholeHeapSuite

SUITES = {
    suite.name: suite
    for suite in (
        RandomMixedSuite,
        LuaSuite,
        LuaJITSuite,
        LuaCloseSuite,
        LuaStatesSuite,
        PythonChurnSuite,
        PythonProgramsSuite,
        BurstSuite,
        LuaBurstSuite,
        WholeHeapSuite,
        PreloadMixedSuite,
        ThreadsSuite,
        ProgramsSuite,
    )
}
