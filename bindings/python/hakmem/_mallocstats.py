"""The heap's part of sys._debugmallocstats(), in the words that it uses for pymalloc."""

import os


def text(stats, threshold):
    """A table of the size classes, and the totals. `threshold`: the largest block in slabs."""
    lines = [
        f"Small block threshold = {threshold}, in {len(stats['classes'])} size classes in use.",
        "",
        "   size     slabs   blocks in use   bytes of pages",
        "   ----     -----   -------------   --------------",
    ]
    for entry in stats["classes"]:
        lines.append(
            f"{entry['size']:7} {entry['slabs']:9} {entry['live']:15} {entry['footprint']:16}"
        )
    lines.append("")
    for name, value in stats.items():
        if isinstance(value, int):
            lines.append(f"# {name:19} = {value:20,}")
    return "\n".join(lines) + "\n"


def write(stats, threshold):
    """Writes to the file descriptor that CPython uses, whatever sys.stderr is."""
    os.write(2, text(stats, threshold).encode())
