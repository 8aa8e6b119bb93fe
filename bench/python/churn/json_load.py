"""Loads documents of JSON as an API's client does, looks through them and drops them; the
last few are kept. Churns dicts, lists, strings and numbers, made by C code."""

import json

USERS = 150


def document(turn):
    users = [
        {
            "id": turn * USERS + i,
            "name": f"user {i} of turn {turn}",
            "email": f"user{i}@example.org",
            "balance": i * 12.75,
            "tags": ["alpha", "beta", f"group-{i % 7}"],
            "address": {"street": f"{i} Long Road", "city": "Springfield", "zip": 10_000 + i},
            "active": i % 3 != 0,
        }
        for i in range(USERS)
    ]
    return json.dumps({"turn": turn, "users": users, "next": None})


def run(scale):
    texts = [document(turn) for turn in range(20)]
    kept = []
    for turn in range(max(1, round(1_500 * scale))):
        page = json.loads(texts[turn % 20])
        active = [user for user in page["users"] if user["active"]]
        if len(active) != USERS - USERS // 3:
            raise AssertionError("active users are missing")
        if sum(user["address"]["zip"] for user in page["users"]) != USERS * 10_000 + 11_175:
            raise AssertionError("a zip code changed")
        kept.append(page)
        del kept[:-10]
