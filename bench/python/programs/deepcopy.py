"""Configurations of services: a base with nested dicts, lists and objects that refer to
each other is copied with copy.deepcopy, the copy is changed for a region and a stage,
compared with the base, and frozen. Churns dicts, lists, tuples, instances and the memo
tables of the copies; the last configurations stay alive.
"""

import copy
import random
from collections import OrderedDict, deque

KEPT_CONFIGURATIONS = 40
SERVICES = 24

REGIONS = ["eu-west", "eu-north", "us-east", "ap-south"]
STAGES = ["development", "test", "production"]


def check(what, got, expected):
    if got != expected:
        raise AssertionError(f"{what}: expected {expected!r}, got {got!r}")


class Secret:
    """Is never copied: all configurations share it."""

    def __init__(self, key):
        self.key = key

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self


class Limits:
    __slots__ = ("memory", "cpu")

    def __init__(self, memory, cpu):
        self.memory = memory
        self.cpu = cpu


class Service:
    def __init__(self, name, system):
        self.name = name
        self.system = system
        self.needs = []
        self.settings = {}
        self.limits = Limits(256, 0.5)
        self.secret = Secret("key of " + name)


class System:
    def __init__(self):
        self.services = OrderedDict()
        self.defaults = {"timeout": 30, "retries": [1, 2, 4], "hosts": ("a", "b")}
        self.labels = {}


def make_settings(rng, defaults):
    return {
        "defaults": defaults,  # shared by all services
        "port": rng.randrange(1024, 65536),
        "routes": [
            {"path": f"/v{i}/items", "methods": ["GET", "POST"], "cache": (i, None)}
            for i in range(rng.randrange(2, 7))
        ],
        "environment": {f"VARIABLE_{i}": str(rng.randrange(1000)) for i in range(12)},
        "features": {"dark mode": rng.random() < 0.5, "beta": {"users": [1, 2, 3]}},
        "window": (rng.randrange(24), ["mon", "fri"]),
    }


def make_system(rng):
    system = System()
    for number in range(SERVICES):
        service = Service(f"service {number}", system)
        service.settings = make_settings(rng, system.defaults)
        others = list(system.services.values())
        if others:
            service.needs = [rng.choice(others) for _ in range(2)]
        system.services[service.name] = service
    # The first needs the last, so that there are circles.
    first, last = system.services["service 0"], system.services[service.name]
    first.needs.append(last)
    return system


def differences(one, other, path=()):
    """The paths at which two settings are not the same."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted(one.keys() | other.keys()):
            if key not in one or key not in other:
                yield path + (key,)
            else:
                yield from differences(one[key], other[key], path + (key,))
    elif isinstance(one, (list, tuple)) and len(one) == len(other):
        for index, pair in enumerate(zip(one, other)):
            yield from differences(*pair, path + (index,))
    elif one != other:
        yield path


def freeze(value):
    if isinstance(value, dict):
        return tuple((key, freeze(value[key])) for key in sorted(value))
    if isinstance(value, (list, tuple)):
        return tuple(freeze(item) for item in value)
    return value


def adapt(system, rng):
    """Changes some settings; returns the changed paths by service."""
    system.labels = {"region": rng.choice(REGIONS), "stage": rng.choice(STAGES)}
    changed = {}
    for name in rng.sample(sorted(system.services), 6):
        service = system.services[name]
        settings = service.settings
        settings["port"] += 1
        settings["environment"]["REGION"] = system.labels["region"]
        settings["features"]["beta"]["users"][1] = 22
        settings["window"][1][0] = "tue"
        settings["routes"][-1]["methods"].append("DELETE")
        service.limits.memory *= 2
        changed[name] = [
            ("environment", "REGION"),
            ("features", "beta", "users", 1),
            ("port",),
            ("routes", len(settings["routes"]) - 1, "methods"),
            ("window", 1, 0),
        ]
    return changed


def check_copy(system, base):
    for name, service in system.services.items():
        original = base.services[name]
        check("name", service.name, name)
        check("own object", service is not original, True)
        check("own system", service.system is system, True)
        defaults = service.settings["defaults"]
        check("shared defaults", defaults is system.defaults, True)
        check("shared secret", service.secret is original.secret, True)
        names = [need.name for need in service.needs]
        check("needs", names, [need.name for need in original.needs])
        for need in service.needs:
            check("a need", need is system.services[need.name], True)
    check("own defaults", system.defaults is not base.defaults, True)
    check("same tuple", system.defaults["hosts"] is base.defaults["hosts"], True)


def run(scale):
    rng = random.Random(8080)
    base = make_system(rng)
    frozen_base = freeze([service.settings for service in base.services.values()])
    kept = deque(maxlen=KEPT_CONFIGURATIONS)
    for _ in range(max(1, round(210 * scale))):
        system = copy.deepcopy(base)
        check_copy(system, base)
        changed = adapt(system, rng)
        for name, service in system.services.items():
            original = base.services[name]
            found = list(differences(original.settings, service.settings))
            check("changes of " + name, found, changed.get(name, []))
            memory = 512 if name in changed else 256
            check("memory limit", service.limits.memory, memory)
            check("base memory limit", original.limits.memory, 256)
        settings = [service.settings for service in system.services.values()]
        kept.append((system, freeze(settings)))
    settings = [service.settings for service in base.services.values()]
    check("base as before", freeze(settings) == frozen_base, True)
    for system, frozen in kept:
        settings = [service.settings for service in system.services.values()]
        check("kept as before", freeze(settings) == frozen, True)
