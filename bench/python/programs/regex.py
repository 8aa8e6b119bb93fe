"""Works on text with regular expressions: lines of a web server's log are parsed with
named groups and summed up, mail addresses are masked, a made-up text in a markup
language is turned into HTML, and source text is split into tokens. Churns match
objects, groups' dicts and strings; the records of the last logs stay alive.
"""

import random
import re
from collections import Counter, deque

KEPT_LOGS = 16
LINES_PER_LOG = 600

LOG_LINE = re.compile(
    r"""
    (?P<host>\d{1,3}(?:\.\d{1,3}){3}) \s - \s (?P<user>\S+) \s
    \[(?P<day>\d\d)/(?P<month>\w{3})/(?P<year>\d{4}):(?P<time>[\d:]{8})\s[+-]\d{4}\] \s
    "(?P<method>[A-Z]+) \s (?P<path>[^\s?"]+) (?:\?(?P<query>[^\s"]*))? \s HTTP/[\d.]+"
    \s (?P<status>\d{3}) \s (?P<size>\d+|-) \s "(?P<agent>(?:[^"\\]|\\.)*)"
    """,
    re.VERBOSE,
)
PARAMETER = re.compile(r"([^=&]+)=([^&]*)")
MAIL = re.compile(r"\b([\w.+-]+)@([\w-]+(?:\.[\w-]+)+)\b")
MARKUP = re.compile(r"\*(?P<bold>[^*]+)\*|_(?P<italic>[^_]+)_|`(?P<code>[^`]+)`")
TOKEN = re.compile(
    r"""
    (?P<space>\s+|\#[^\n]*)
  | (?P<number>\d+(?:\.\d+)?)
  | (?P<name>[A-Za-z_]\w*)
  | (?P<string>"(?:[^"\\]|\\.)*")
  | (?P<operator>==|<=|>=|!=|[-+*/=<>(){};,])
    """,
    re.VERBOSE,
)
ESCAPED = re.compile(r"\\(.)")

METHODS = ["GET", "GET", "GET", "POST", "DELETE"]
MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul"]
AGENTS = ["Mozilla/5.0 (X11; Linux)", "curl/8.4", 'bot \\"friendly\\" 1.0']


def check(what, got, expected):
    if got != expected:
        raise AssertionError(f"{what}: expected {expected!r}, got {got!r}")


def make_log(rng):
    """A log, and what must be found in it."""
    lines, sizes, parameters, broken = [], Counter(), Counter(), 0
    for _ in range(LINES_PER_LOG):
        if rng.random() < 0.03:
            lines.append(f"[error] worker {rng.randrange(100)} - - stopped")
            broken += 1
            continue
        host = ".".join(str(rng.randrange(256)) for _ in range(4))
        day, month = rng.randrange(1, 29), rng.choice(MONTHS)
        path, size = f"/{rng.choice('abcdef')}/{rng.randrange(20)}", rng.randrange(9000)
        names = [f"key{rng.randrange(8)}" for _ in range(rng.randrange(4))]
        query = "&".join(f"{name}={rng.randrange(1000)}" for name in names)
        lines.append(
            f"{host} - user{rng.randrange(300)} [{day:02}/{month}/2023:10:20:30 +0100] "
            f'"{rng.choice(METHODS)} {path}{"?" + query if query else ""} HTTP/1.1" '
            f'{rng.choice((200, 200, 304, 404))} {size or "-"} "{rng.choice(AGENTS)}"'
        )
        sizes[path] += size
        parameters.update(names)
    return "\n".join(lines), sizes, parameters, broken


def read_log(text):
    records, sizes, parameters, broken = [], Counter(), Counter(), 0
    for line in text.split("\n"):
        match = LOG_LINE.fullmatch(line)
        if match is None:
            broken += 1
            continue
        record = match.groupdict()
        record["size"] = 0 if record["size"] == "-" else int(record["size"])
        pairs = PARAMETER.findall(record["query"] or "")
        record["query"] = dict(pairs)
        record["agent"] = ESCAPED.sub(r"\1", record["agent"])
        parameters.update(name for name, _ in pairs)
        sizes[record["path"]] += record["size"]
        records.append(record)
    return records, sizes, parameters, broken


def mask(text):
    return MAIL.sub(lambda match: f"{match.group(1)[0]}***@{match.group(2)}", text)


def check_masking(rng):
    names = [f"{rng.choice('xyz')}{rng.randrange(10**6)}.q" for _ in range(50)]
    text = "; ".join(f"write to {name}@mail.example.org or call" for name in names)
    masked = "; ".join(
        f"write to {name[0]}***@mail.example.org or call" for name in names
    )
    check("masked addresses", mask(text), masked)
    check("domains", {found[1] for found in MAIL.findall(text)}, {"mail.example.org"})


def to_html(match):
    kind = match.lastgroup
    tag = {"bold": "b", "italic": "i", "code": "code"}[kind]
    return f"<{tag}>{match.group(kind)}</{tag}>"


def check_markup(rng):
    plain, source, expected = [], [], []
    marks = [("*", "b"), ("_", "i"), ("`", "code"), ("", None)]
    for _ in range(300):
        word = f"word{rng.randrange(10**4)}"
        mark, tag = rng.choice(marks)
        plain.append(word)
        source.append(f"{mark}{word}{mark}")
        expected.append(f"<{tag}>{word}</{tag}>" if tag else word)
    html = MARKUP.sub(to_html, " ".join(source))
    check("HTML", html, " ".join(expected))
    check("text of the HTML", re.sub(r"<[^>]+>", "", html), " ".join(plain))


def tokens(text):
    at = 0
    while at < len(text):
        match = TOKEN.match(text, at)
        if match is None:
            raise SyntaxError(f"cannot read {text[at:at + 10]!r}")
        if match.lastgroup != "space":
            yield match.lastgroup, match.group()
        at = match.end()


def check_tokens(rng):
    expected, parts = [], []
    for number in range(40):
        line = [("name", "let"), ("name", f"x_{number}"), ("operator", "=")]
        line += [("number", f"{rng.randrange(999) / 4}"), ("operator", "<=")]
        line += [("name", "f"), ("operator", "("), ("string", r'"a \"b\" #1"')]
        line += [("operator", ")"), ("operator", ";")]
        expected += line
        separator = rng.choice([" ", "  ", "\t", " # a comment; x = 1\n"])
        parts.append(separator.join(text for _, text in line))
    check("tokens", list(tokens("\n".join(parts))), expected)
    try:
        list(tokens("a = b ? c"))
    except SyntaxError as error:
        check("bad token", str(error), "cannot read '? c'")
    else:
        raise AssertionError("a bad token was accepted")


def run(scale):
    rng = random.Random(404)
    kept = deque(maxlen=KEPT_LOGS)
    for _ in range(max(1, round(70 * scale))):
        text, *expected = make_log(rng)
        records, *found = read_log(text)
        check("sizes, parameters and broken lines", found, expected)
        check("records", len(records), LINES_PER_LOG - found[2])
        agents = {record["agent"] for record in records}
        check("agents", 'bot "friendly" 1.0' in agents, True)
        check_masking(rng)
        check_markup(rng)
        check_tokens(rng)
        kept.append((records, sum(found[0].values())))
    for records, size in kept:
        check("size of a kept log", sum(record["size"] for record in records), size)
