"""The statistics as OpenMetrics text (the exposition format of version 1.0)."""


def _family(name, kind, unit, help):
    return [f"# TYPE {name} {kind}", f"# UNIT {name} {unit}", f"# HELP {name} {help}"]


def _plain(stats, fields):
    for name, unit, help in fields:
        if unit == "events":
            family = f"hakmem_{name}_events"
            yield from _family(family, "counter", unit, help)
            yield f"{family}_total {stats[name]}"
        else:
            family = f"hakmem_{name}"
            if not family.endswith(unit):
                family = f"{family}_{unit}"
            yield from _family(family, "gauge", unit, help)
            yield f"{family} {stats[name]}"


def _os_calls(stats):
    family = "hakmem_os_calls"
    yield from _family(family, "counter", "calls", "Calls to the OS for memory, by kind.")
    for kind, count in stats["os_calls"].items():
        if kind not in ("failed", "total"):
            yield f'{family}_total{{call="{kind}"}} {count}'


def _classes(stats):
    for name, unit, key, help in (
        ("hakmem_class_live_blocks", "blocks", "live", "Blocks handed out, by size."),
        ("hakmem_class_slabs", "slabs", "slabs", "Slabs, by the size of their blocks."),
        (
            "hakmem_class_footprint_bytes",
            "bytes",
            "footprint",
            "Bytes of pages in slabs, by the size of their blocks.",
        ),
    ):
        yield from _family(name, "gauge", unit, help)
        for entry in stats["classes"]:
            yield f'{name}{{size="{entry["size"]}"}} {entry[key]}'


def text(stats, fields):
    """All metrics of `stats`; `fields` is (name, unit, help) for each number."""
    lines = [*_plain(stats, fields), *_os_calls(stats), *_classes(stats), "# EOF"]
    return "\n".join(lines) + "\n"
