"""What suites share that run one program with another allocator preloaded each time."""

from __future__ import annotations

from typing import Optional

from .. import preload
from ..allocators import SYSTEM
from ..suite import Suite


class PreloadedSuite(Suite):
    """Nothing but the allocator differs, the layout of the program neither."""

    allocators = (*preload.ALL, SYSTEM)
    excluded = {
        "hakmem": "its name here is hakmem-preload",
        "lua-default": "there is no Lua in it",
        "pymalloc": "there is no Python in it",
        "null": "there is nothing to preload",
    }

    def missing(self, allocator: str) -> Optional[str]:
        return preload.missing(allocator, self.settings) if allocator in preload.ALL else None
