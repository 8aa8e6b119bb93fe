"""The statistics as metric families, and as OpenMetrics text (the exposition format, version 1.0)."""


def _by_field(prefix, stats, fields):
    for name, unit, help in fields:
        kind = "counter" if unit == "events" else "gauge"
        # Other units than bytes say what is counted, as the name does.
        unit = "bytes" if unit == "bytes" else ""
        suffix = "_bytes" if unit and not name.endswith("_bytes") else ""
        number = stats[name]
        yield f"{prefix}_{name}{suffix}", kind, unit, help, None, [(None, number)]


def families(heap, process):
    """Yields (name, kind, unit, help, label, [(value of the label, number), …]) for each family.

    `heap` and `process` are statistics with (name, unit, help) for each number by
    itself. A family without a label has one number.
    """
    stats = heap[0]
    yield from _by_field("hakmem", *heap)
    yield from _by_field("hakmem_process", *process)

    help = "The part of the pages with blocks that holds none."
    yield "hakmem_fragmentation_ratio", "gauge", "ratio", help, None, [
        (None, stats["fragmentation"])
    ]

    calls = dict(stats["os_calls"])
    del calls["total"]
    failed = calls.pop("failed")
    help = "Calls to the OS for memory, by kind."
    yield "hakmem_os_calls", "counter", "", help, "call", list(calls.items())
    help = "Calls to the OS for memory that failed."
    yield "hakmem_os_failures", "counter", "", help, None, [(None, failed)]

    for name, unit, key, help in (
        ("live_blocks", "", "live", "Blocks handed out, by size."),
        ("slabs", "", "slabs", "Slabs, by the size of their blocks."),
        (
            "footprint_bytes",
            "bytes",
            "footprint",
            "Bytes of pages in slabs, by the size of their blocks.",
        ),
    ):
        samples = [(str(entry["size"]), entry[key]) for entry in stats["classes"]]
        yield f"hakmem_class_{name}", "gauge", unit, help, "size", samples


def text(heap, process):
    """All families as text."""
    lines = []
    for name, kind, unit, help, label, samples in families(heap, process):
        lines.append(f"# TYPE {name} {kind}")
        if unit:
            lines.append(f"# UNIT {name} {unit}")
        lines.append(f"# HELP {name} {help}")
        sample = f"{name}_total" if kind == "counter" else name
        for value, number in samples:
            labels = f'{{{label}="{value}"}}' if label else ""
            lines.append(f"{sample}{labels} {number}")
    return "\n".join([*lines, "# EOF", ""])
