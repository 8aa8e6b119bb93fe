"""JSON both ways: made-up documents about users are encoded, decoded, edited and
encoded again, as a web service does, and some go through objects of a class. Churns
nested dicts and lists, key and value strings, and texts of some 20 KB. A window of
decoded documents stays alive.
"""

import datetime
import json
import random
from decimal import Decimal

WINDOW = 60
USERS_PER_DOCUMENT = 50

NAMES = ["Ada", "Grace", "Edsger", "Barbara", 'Søren "the K"', "Tab\tNew\n", "C:\\"]


def check(what, got, expected):
    if got != expected:
        raise AssertionError(f"{what}: expected {expected!r}, got {got!r}")


class Account:
    """Has a form of its own in JSON."""

    def __init__(self, owner, opened, balance):
        self.owner = owner
        self.opened = opened
        self.balance = balance

    def __eq__(self, other):
        return vars(self) == vars(other)


class Encoder(json.JSONEncoder):
    def default(self, value):
        if isinstance(value, Account):
            return {"$account": value.owner, **vars(value)}
        if isinstance(value, datetime.date):
            return {"$date": value.isoformat()}
        if isinstance(value, Decimal):
            return {"$decimal": str(value)}
        if isinstance(value, (set, frozenset)):
            return {"$set": sorted(value)}
        return super().default(value)


def revive(fields):
    if "$account" in fields:
        return Account(fields["owner"], fields["opened"], fields["balance"])
    if "$date" in fields:
        return datetime.date.fromisoformat(fields["$date"])
    if "$decimal" in fields:
        return Decimal(fields["$decimal"])
    if "$set" in fields:
        return set(fields["$set"])
    return fields


def make_user(rng, number):
    return {
        "id": number,
        "name": f"{rng.choice(NAMES)} {rng.randrange(100000)}",
        "email": f"user{rng.randrange(100000)}@example.org",
        "score": rng.randrange(1000000) / 8,
        "ratio": 1 / rng.randrange(1, 1000),
        "active": rng.random() < 0.5,
        "manager": None if rng.random() < 0.25 else rng.randrange(1000),
        "address": {
            "street": f"{rng.randrange(200)} Main St",
            "city": f"City{rng.randrange(300)}",
            "geo": [rng.randrange(180) / 2, -rng.randrange(90) / 4],
        },
        "tags": [f"tag{rng.randrange(40)}" for _ in range(rng.randrange(6))],
        "history": [
            {
                "at": 1600000000 + rng.randrange(10000000),
                "action": f"action{rng.randrange(9)}",
                "ok": rng.random() < 0.7,
            }
            for _ in range(rng.randrange(7))
        ],
    }


def make_document(rng, number):
    users = [make_user(rng, number * 1000 + i) for i in range(USERS_PER_DOCUMENT)]
    return {"version": number, "users": users, "next": None, "empty": {}}


def make_accounts(rng):
    return [
        Account(
            owner=f"owner {number}",
            opened=datetime.date(2000, 1, 1) + datetime.timedelta(rng.randrange(9000)),
            balance=Decimal(rng.randrange(10**9)) / 100,
        )
        for number in range(20)
    ]


def check_known_texts():
    text = ' { "b" : [1, -2.5, 3e2, "\\u00e9\\n\\/"] ,\n "a":{ }, "c" : [true,null] } '
    known = {"a": {}, "b": [1, -2.5, 300.0, "é\n/"], "c": [True, None]}
    check("known text", json.loads(text), known)
    check(
        "text of known document",
        json.dumps(known, sort_keys=True, separators=(",", ":")),
        '{"a":{},"b":[1,-2.5,300.0,"\\u00e9\\n/"],"c":[true,null]}',
    )
    try:
        json.loads('{"a":[1,2}')
    except json.JSONDecodeError as error:
        check("position of the error", error.pos, 9)
    else:
        raise AssertionError("bad text was accepted")


def run(scale):
    rng = random.Random(1234)
    window = {}
    check_known_texts()
    for number in range(max(1, round(270 * scale))):
        document = make_document(rng, number)
        text = json.dumps(document)
        copy = json.loads(text)
        check("decoded document equals its source", copy == document, True)

        # An edit of the copy shows in its text, and only there.
        user = rng.choice(copy["users"])
        user["name"] += "!"
        user["history"].append({"at": number, "action": "rename", "ok": True})
        edited = json.dumps(copy, ensure_ascii=False, sort_keys=True)
        check("edited document differs", json.loads(edited) == document, False)
        user["history"].pop()
        user["name"] = user["name"][:-1]
        check("edit undone", json.dumps(copy) == text, True)

        if number % 4 == 0:
            pretty = json.dumps(copy, indent=2)
            check("pretty document", json.loads(pretty) == document, True)
            accounts = {"of": set("abc"), "accounts": make_accounts(rng)}
            text_of_accounts = json.dumps(accounts, cls=Encoder)
            revived = json.loads(text_of_accounts, object_hook=revive)
            check("revived accounts", revived == accounts, True)
            total = sum(account.balance for account in revived["accounts"])
            expected = sum(account.balance for account in accounts["accounts"])
            check("total of the accounts", total, expected)
        window[number % WINDOW] = (copy, text)
    for document, text in window.values():
        check("text of a kept document", json.dumps(document) == text, True)
