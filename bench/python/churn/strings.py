"""Strings built in all the usual ways: concatenated, formatted, joined, split, replaced,
sliced. Churns strings of 50 to 2,000 bytes and the lists between."""

WORDS = "the quick brown fox jumps over a lazy dog while it rains in the hills".split()


def sentence(seed):
    return " ".join(WORDS[(seed * 7 + i * i) % len(WORDS)] for i in range(12))


def page(seed):
    text = ""
    for i in range(12):
        text += sentence(seed + i) + ".\n"
    return text


def run(scale):
    history = []
    for turn in range(max(1, round(5_700 * scale))):
        text = page(turn)
        lines = text.splitlines()
        numbered = [f"{i:04d}: {line.strip()}" for i, line in enumerate(lines)]
        if len(numbered) != 12 or not numbered[3].startswith("0003: "):
            raise AssertionError("a line is not numbered")
        joined = "\n".join(numbered)
        upper = joined.upper().replace("THE", "A").title()
        words = upper.split()
        if len(words) != 12 * 13:
            raise AssertionError("words are missing")
        counts = {}
        for word in words:
            key = word.lower().rstrip(".")
            counts[key] = counts.get(key, 0) + 1
        if sum(counts.values()) != 12 * 13:
            raise AssertionError("words were counted wrong")
        report = "; ".join("%s=%d" % item for item in sorted(counts.items()))
        slug = "".join(c if c.isalnum() else "-" for c in report[:400])
        if len(slug) != min(400, len(report)):
            raise AssertionError("the slug has another length")
        history.append(slug + str(turn))
        del history[:-500]
