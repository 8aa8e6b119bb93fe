"""The line that shows how far a session is, on a terminal only."""

from __future__ import annotations

from typing import TextIO

ERASE = "\r\x1b[K"


class Progress:
    """Writes over one line of a terminal; does nothing on any other stream."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.visible = stream.isatty()

    def show(self, text: str) -> None:
        """Replaces the line by `text`."""
        if self.visible:
            self.stream.write(ERASE + text)
            self.stream.flush()

    def clear(self) -> None:
        """Removes the line."""
        self.show("")
