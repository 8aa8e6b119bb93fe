"""Pickles and unpickles graphs of objects, as a cache or a message queue for Python
does: projects whose tasks share people, depend on each other in circles, and hold
dates, named tuples and slotted objects. Churns objects, their dicts, lists and byte
strings of some 20 KB; the people and the last pickles stay alive.
"""

import datetime
import enum
import io
import pickle
import random
from collections import OrderedDict, deque, namedtuple
from fractions import Fraction

KEPT_PICKLES = 60
TASKS_PER_PROJECT = 70

WORDS = "build check deliver design draw measure order paint plan test write".split()


def check(what, got, expected):
    if got != expected:
        raise AssertionError(f"{what}: expected {expected!r}, got {got!r}")


class State(enum.Enum):
    OPEN = 1
    STARTED = 2
    DONE = 3


Entry = namedtuple("Entry", "date hours person")


class Person:
    def __init__(self, number):
        self.number = number
        self.name = f"Person {number}"
        self.skills = frozenset(WORDS[number % 5 :: 3])


class Place:
    __slots__ = ("x", "y")

    def __init__(self, x, y):
        self.x = x
        self.y = y


class Share:
    """Says itself how it is made again."""

    def __init__(self, numerator, denominator):
        self.value = Fraction(numerator, denominator)

    def __reduce__(self):
        return Share, (self.value.numerator, self.value.denominator)


class Task:
    def __init__(self, project, number, title, person):
        self.project = project
        self.number = number
        self.title = title
        self.person = person
        self.state = State.OPEN
        self.needs = []
        self.needed_by = []
        self.log = []
        self.place = None
        self.share = None
        self._cached_text = None

    def text(self):
        if self._cached_text is None:
            self._cached_text = f"{self.number}. {self.title} ({self.person.name})"
        return self._cached_text

    def __getstate__(self):
        state = self.__dict__.copy()
        state["_cached_text"] = None
        return state

    def __setstate__(self, state):
        self.__dict__.update(state)


class Project:
    def __init__(self, name):
        self.name = name
        self.tasks = []
        self.by_title = OrderedDict()
        self.notes = {}


def make_project(rng, number, people):
    project = Project(f"Project {number}")
    start = datetime.date(2020, 1, 1) + datetime.timedelta(number % 1000)
    for i in range(TASKS_PER_PROJECT):
        title = f"{rng.choice(WORDS)} part {i}"
        task = Task(project, i, title, rng.choice(people))
        task.state = rng.choice(list(State))
        task.place = Place(rng.random(), rng.randrange(1000))
        task.share = Share(rng.randrange(100), rng.randrange(1, 100))
        for _ in range(rng.randrange(5)):
            date = start + datetime.timedelta(rng.randrange(100))
            task.log.append(Entry(date, rng.randrange(1, 9), rng.choice(people)))
        if i:
            for need in {rng.randrange(max(0, i - 6), i) for _ in range(2)}:
                task.needs.append(project.tasks[need])
                project.tasks[need].needed_by.append(task)
        project.tasks.append(task)
        project.by_title[title] = task
    project.notes = {word: rng.random() for word in WORDS}
    return project


def facts(project):
    """What a project says, without the identities of its objects."""
    return [
        (
            task.text(),
            task.state,
            [need.number for need in task.needs],
            [other.number for other in task.needed_by],
            [(entry.date, entry.hours, entry.person.number) for entry in task.log],
            (task.place.x, task.place.y, task.share.value),
        )
        for task in project.tasks
    ], project.notes


def check_shape(project):
    people = {}
    for task in project.tasks:
        check("project of a task", task.project is project, True)
        check("task by title", project.by_title[task.title] is task, True)
        for need in task.needs:
            check("a need", need is project.tasks[need.number], True)
            check("needed by", any(other is task for other in need.needed_by), True)
        for person in [task.person, *(entry.person for entry in task.log)]:
            if people.setdefault(person.number, person) is not person:
                raise AssertionError("a person is there twice")


# With these, people are not written but named.


class Saver(pickle.Pickler):
    def persistent_id(self, value):
        return ("person", value.number) if isinstance(value, Person) else None


class Loader(pickle.Unpickler):
    def __init__(self, file, people):
        super().__init__(file)
        self.people = people

    def persistent_load(self, name):
        kind, number = name
        if kind != "person":
            raise pickle.UnpicklingError(f"unknown kind {kind}")
        return self.people[number]


def run(scale):
    rng = random.Random(77)
    people = [Person(number) for number in range(60)]
    kept = deque(maxlen=KEPT_PICKLES)
    for number in range(max(1, round(135 * scale))):
        project = make_project(rng, number, people)
        before = facts(project)
        data = pickle.dumps(project, protocol=2 + number % 4)
        copy = pickle.loads(data)
        check("cached text of a copy", copy.tasks[0]._cached_text, None)
        check("facts of a copy", facts(copy) == before, True)
        check_shape(copy)
        if copy.tasks[0].person is project.tasks[0].person:
            raise AssertionError("a copied project shares its people")

        file = io.BytesIO()
        Saver(file, protocol=pickle.HIGHEST_PROTOCOL).dump(project)
        file.seek(0)
        copy = Loader(file, people).load()
        check("facts of a copy with named people", facts(copy) == before, True)
        for task in copy.tasks:
            check("a named person", task.person is people[task.person.number], True)
        kept.append(
            (data, sum(entry.hours for task in copy.tasks for entry in task.log))
        )
    for data, hours in kept:
        project = pickle.loads(data)
        logs = (task.log for task in project.tasks)
        check("hours", sum(entry.hours for log in logs for entry in log), hours)
