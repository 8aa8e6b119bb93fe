"""A long-lived process that serves bursts: what stays resident after each.

    [HAKMEM_PYTHON=1] python3 bench/python/burst.py BURSTS ROWS SESSION_EVERY

A burst builds ROWS rows of a report, about 1.3 KiB each, makes a session after every
SESSION_EVERY of them, and drops the rows; then small requests come in for a second.
Sessions live on, over four bursts, so that each leaves objects scattered over what it
used. Nothing asks for memory to be given back: no gc.collect(),
no trim(). Prints one line of JSON: the peak of the resident set, the one before the
first burst, and the one a second after each, in KiB; how many bytes the sessions have
(by sys.getsizeof), and the CPU time of the process in seconds. A wrong result ends with
a message on stderr and exit status 1.
"""

import json
import os
import sys
import time

if os.environ.get("HAKMEM_PYTHON") == "1":
    import hakmem

    hakmem.install()

SESSIONS_OF = 4  # bursts
REQUESTS_S = 1.0
WORDS = "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu".split()


class Row:
    def __init__(self, number):
        self.number = number
        self.name = f"row {number} of the report"
        self.values = [number * 0.5 + i for i in range(8)]
        self.tags = {word: number + i for i, word in enumerate(WORDS[: number % 5 + 3])}
        self.body = bytes(number % 700 + 100)


class Session:
    def __init__(self, number):
        self.user = f"user {number}"
        self.seen = [number]
        self.settings = {"theme": f"theme {number % 7}", "zoom": number / 3}


def build(first, rows, session_every, sessions):
    report = []
    for number in range(first, first + rows):
        report.append(Row(number))
        if number % session_every == 0:
            sessions[number] = Session(number)
            if len(sessions) > SESSIONS_OF * rows // session_every:
                del sessions[next(iter(sessions))]
    return report


def serve(seconds):
    """Small requests, one every millisecond or so."""
    end = time.monotonic() + seconds
    served = 0
    while time.monotonic() < end:
        request = json.dumps({"id": served, "items": WORDS, "price": served * 0.25})
        order = json.loads(request)
        order["total"] = order["price"] * len(order["items"])
        if order["id"] != served or len(order["items"]) != len(WORDS):
            sys.exit("burst.py: a request came out wrong")
        served += 1
        time.sleep(0.001)


def resident_kib(field):
    with open("/proc/self/status", encoding="ascii") as file:
        for line in file:
            if line.startswith(field + ":"):
                return int(line.split()[1])


def size_of(session):
    parts = [session, session.__dict__, session.user, session.seen, session.settings]
    parts += [*session.seen, *session.settings.values()]
    return sum(map(sys.getsizeof, parts))


def main(bursts, rows, session_every):
    sessions = {}
    serve(REQUESTS_S / 10)
    before = resident_kib("VmRSS")
    after = []
    for burst in range(bursts):
        report = build(burst * rows, rows, session_every, sessions)
        if sum(row.number for row in report) != rows * (2 * burst * rows + rows - 1) // 2:
            sys.exit("burst.py: rows are missing")
        del report
        serve(REQUESTS_S)
        after.append(resident_kib("VmRSS"))
    if any(session.seen != [number] for number, session in sessions.items()):
        sys.exit("burst.py: a session is not what it was")
    report = {
        "peak_rss_kib": resident_kib("VmHWM"),
        "before_rss_kib": before,
        "after_rss_kib": after,
        "session_bytes": sum(map(size_of, sessions.values())),
        "cpu_s": round(time.process_time(), 3),
    }
    print(json.dumps(report))


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit("usage: burst.py BURSTS ROWS SESSION_EVERY")
    main(*map(int, sys.argv[1:]))
