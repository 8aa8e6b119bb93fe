"""A template engine: templates with variables, filters, conditions and loops are
turned into Python source, compiled to functions, and rendered with view data, as for
web pages. Churns syntax, code objects, view dicts, and the parts and pages of text; the
compiled templates and the recent pages stay alive.
"""

import html
import random
import re
from collections import deque

KEPT_PAGES = 400
LAYOUTS = 50


def check(what, got, expected):
    if got != expected:
        raise AssertionError(f"{what}: expected {expected!r}, got {got!r}")


class TemplateError(Exception):
    pass


FILTERS = {
    "upper": lambda value: str(value).upper(),
    "money": lambda cents: f"{cents // 100}.{cents % 100:02}",
    "count": len,
    "join": lambda items: ", ".join(items),
}

TAG = re.compile(r"({{.*?}}|{%.*?%})", re.DOTALL)
PATH = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*$")


def look_up(value, name):
    if isinstance(value, dict):
        return value[name]
    return getattr(value, name)


class Compiler:
    def __init__(self, source):
        self.lines = []
        self.depth = 0
        self.blocks = []
        self.variables = {}  # of the loops, with their names in the code
        self.add("def render(context):")
        self.depth += 1
        self.add("parts = []")
        self.add("add = parts.append")
        for piece in TAG.split(source):
            if piece.startswith("{{"):
                self.add_value(piece[2:-2].strip())
            elif piece.startswith("{%"):
                self.add_tag(piece[2:-2].strip())
            elif piece:
                self.add(f"add({piece!r})")
        if self.blocks:
            raise TemplateError(f"{self.blocks[-1][0]} is not closed")
        self.add("return ''.join(parts)")

    def add(self, line):
        self.lines.append("    " * self.depth + line)

    def open(self, word):
        self.blocks.append((word, self.variables))
        self.depth += 1

    def value(self, text):
        path, *filters = [part.strip() for part in text.split("|")]
        if not PATH.match(path):
            raise TemplateError(f"bad path {path!r}")
        first, *rest = path.split(".")
        code = self.variables.get(first, f"context[{first!r}]")
        for name in rest:
            code = f"look_up({code}, {name!r})"
        for name in filters:
            if name not in FILTERS:
                raise TemplateError(f"unknown filter {name!r}")
            code = f"FILTERS[{name!r}]({code})"
        return code

    def add_value(self, text):
        value, _, last = text.rpartition("|")
        if last.strip() == "safe":
            self.add(f"add(str({self.value(value)}))")
        else:
            self.add(f"add(escape(str({self.value(text)})))")

    def add_tag(self, text):
        word, *rest = text.split(None, 3)
        if word == "for" and len(rest) == 3 and rest[1] == "in":
            index, item = f"index_{self.depth}", f"item_{self.depth}"
            self.add(f"for {index}, {item} in enumerate({self.value(rest[2])}, 1):")
            self.open(word)
            self.variables = {**self.variables, "index": index, rest[0]: item}
        elif word == "if" and rest:
            self.add(f"if {self.value(' '.join(rest))}:")
            self.open(word)
        elif word == "else" and self.blocks and self.blocks[-1][0] == "if":
            self.add("pass")
            self.depth -= 1
            self.add("else:")
            self.depth += 1
        elif word == "end" and self.blocks:
            self.add("pass")
            self.depth -= 1
            _, self.variables = self.blocks.pop()
        else:
            raise TemplateError(f"unknown tag {text!r}")


def compile_template(source):
    code = compile("\n".join(Compiler(source).lines), "<template>", "exec")
    names = {"FILTERS": FILTERS, "look_up": look_up, "escape": html.escape}
    exec(code, names)
    return names["render"]


# The page of an invoice; its layouts differ in the title.

SOURCE = """<h1>@layout: {{ customer.name }}</h1>
{% if customer.vip %}<b>{{ customer.level | upper }}</b>{% else %}<i>guest</i>{% end %}
<table>{% for item in items %}
<tr><td>{{ index }}</td><td>{{ item.title|upper }}</td><td>{{ item.price|money }}</td>
<td>{% for tag in item.tags %}#{{ tag }}{% if item.rare %}!{% end %} {% end %}</td></tr>
{% end %}</table>
<p>{{ items | count }} items, {{ total | money }} {{ signature | safe }}</p>
"""


class Item:
    def __init__(self, rng):
        self.title = f"Item <{rng.randrange(9000)}> & more"
        self.price = rng.randrange(100000)
        self.rare = rng.random() < 0.25
        self.tags = [f"tag{rng.randrange(60)}" for _ in range(rng.randrange(5))]


def make_view(rng):
    items = [Item(rng) for _ in range(rng.randrange(5, 45))]
    name = f"Smith & <Sons> {rng.randrange(5000)}"
    return {
        "customer": {"name": name, "vip": rng.random() < 0.3, "level": "gold"},
        "items": items,
        "total": sum(item.price for item in items),
        "signature": "<hr>",
    }


def expected_page(layout, view):
    """The same page, written out by hand."""
    customer, items = view["customer"], view["items"]
    page = f"<h1>{layout}: {html.escape(customer['name'])}</h1>\n"
    page += "<b>GOLD</b>" if customer["vip"] else "<i>guest</i>"
    page += "\n<table>"
    for number, item in enumerate(items, 1):
        tags = "".join(f"#{tag}{'!' * item.rare} " for tag in item.tags)
        title = f"ITEM &lt;{item.title[6:].split('>')[0]}&gt; &amp; MORE"
        page += f"\n<tr><td>{number}</td><td>{title}</td>"
        page += f"<td>{item.price // 100}.{item.price % 100:02}</td>\n"
        page += f"<td>{tags}</td></tr>\n"
    total = f"{view['total'] // 100}.{view['total'] % 100:02}"
    return page + f"</table>\n<p>{len(items)} items, {total} <hr></p>\n"


def check_known_templates():
    render = compile_template(
        "{% for x in l %}{% for x in m %}{{ x }}{{ index }} {% end %}{{x.a|upper}}"
        "{{ index }};{% end %} {{ n | money }} {{ m | join }} {{ index }}"
    )
    view = {"l": [{"a": "p"}, {"a": "q"}], "m": ["<", "&"], "n": 1234, "index": 0}
    page = "&lt;1 &amp;2 P1;&lt;1 &amp;2 Q2; 12.34 &lt;, &amp; 0"
    check("known page", render(view), page)
    for source in ("{% if x %} yes", "{% else %}", "{{ x | unknown }}", "{{ x + 1 }}"):
        try:
            compile_template(source)
        except TemplateError:
            continue
        raise AssertionError(f"a bad template was accepted: {source}")


def run(scale):
    rng = random.Random(1999)
    cache, pages = {}, deque(maxlen=KEPT_PAGES)
    check_known_templates()
    for number in range(max(1, round(3500 * scale))):
        # Every tenth layout is new, the others come from the cache.
        is_new = number % 10 == 0
        layout = f"Layout {LAYOUTS + number if is_new else rng.randrange(LAYOUTS)}"
        render = cache.get(layout)
        if render is None:
            render = compile_template(SOURCE.replace("@layout", layout))
            if not is_new:
                cache[layout] = render
        view = make_view(rng)
        page = render(view)
        if number % 4 == 0:
            check("page", page, expected_page(layout, view))
        check("rows of a page", page.count("<tr>"), len(view["items"]))
        pages.append((layout, view, page))
    for layout, view, page in pages:
        check("a kept page", page, expected_page(layout, view))
