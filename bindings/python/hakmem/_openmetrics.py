"""The statistics as metric families, and as OpenMetrics text (the exposition format, version 1.0)."""

# Labels that our samples have anyway.
_OWN_LABELS = ("build", "call", "profile", "size", "version")
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"


def _is_label(name):
    if not isinstance(name, str) or name[:1] not in tuple(_LETTERS) or name[:2] == "__":
        return False
    return all(letter in _LETTERS + "0123456789" for letter in name)


def check_labels(labels):
    """The labels as a dict of text. ValueError for a bad name, TypeError for a bad type."""
    if labels is None:
        return {}
    if not isinstance(labels, dict):
        raise TypeError(f"labels must be a dict of names and values, not {type(labels).__name__}")
    for name, value in labels.items():
        if not _is_label(name):
            raise ValueError(
                f"a label cannot be named {name!r}, accepted are letters, digits and _,"
                " no digit first and not __"
            )
        if name in _OWN_LABELS:
            raise ValueError(
                f"a label cannot be named {name!r}, since hakmem's own are"
                f" {', '.join(_OWN_LABELS)}; take another name"
            )
        if not isinstance(value, (str, int)):
            raise TypeError(f"label {name!r} must be a str or an int, not {type(value).__name__}")
    return {name: str(value) for name, value in labels.items()}


def _by_field(prefix, stats, fields):
    for name, unit, help in fields:
        kind = "counter" if unit == "events" else "gauge"
        # Other units than bytes say what is counted, as the name does.
        unit = "bytes" if unit == "bytes" else ""
        suffix = "_bytes" if unit and not name.endswith("_bytes") else ""
        number = stats[name]
        yield f"{prefix}_{name}{suffix}", kind, unit, help, [({}, number)]


def families(heap, process, threads, about):
    """Yields (name, kind, unit, help, [(labels, number), …]) for each family.

    heap, process, threads: pairs of statistics and their fields, [(name, unit, help), …].
    about: the labels of the info sample, and whether hakmem is `installed`.
    All samples of a family have the same names of labels.
    """
    about = dict(about)
    installed = about.pop("installed")
    help = "The version of hakmem, its build, and the heap's profile."
    yield "hakmem", "info", "", help, [(about, 1)]
    help = "Whether new objects come from hakmem: 1, or 0 where it is not installed."
    yield "hakmem_installed", "gauge", "", help, [({}, int(installed))]

    stats = heap[0]
    yield from _by_field("hakmem", *heap)
    yield from _by_field("hakmem_process", *process)
    yield from _by_field("hakmem_thread", *threads)

    help = "The part of the pages with blocks that holds none."
    yield "hakmem_fragmentation_ratio", "gauge", "ratio", help, [({}, stats["fragmentation"])]

    calls = dict(stats["os_calls"])
    del calls["total"]
    failed = calls.pop("failed")
    help = "Calls to the OS for memory, by kind."
    samples = [({"call": call}, number) for call, number in calls.items()]
    yield "hakmem_os_calls", "counter", "", help, samples
    help = "Calls to the OS for memory that failed."
    yield "hakmem_os_failures", "counter", "", help, [({}, failed)]

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
        samples = [({"size": str(entry["size"])}, entry[key]) for entry in stats["classes"]]
        yield f"hakmem_class_{name}", "gauge", unit, help, samples


_SUFFIXES = {"counter": "_total", "gauge": "", "info": "_info"}
_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})


def _labels_text(labels):
    if not labels:
        return ""
    return "{" + ",".join(f'{k}="{v.translate(_ESCAPES)}"' for k, v in labels.items()) + "}"


def text(metrics, labels):
    """All families as text, with `labels` in each sample. `metrics`: arguments of families()."""
    lines = []
    for name, kind, unit, help, samples in families(*metrics):
        lines.append(f"# TYPE {name} {kind}")
        if unit:
            lines.append(f"# UNIT {name} {unit}")
        lines.append(f"# HELP {name} {help}")
        for own, number in samples:
            lines.append(f"{name}{_SUFFIXES[kind]}{_labels_text({**labels, **own})} {number}")
    return "\n".join([*lines, "# EOF", ""])
