"""Records as dataclasses: made, changed by replace(), grouped, sorted. Churns instances
with a dict or a table of attributes, their strings, and small lists."""

from dataclasses import dataclass, field, replace

ORDERS = 1_500


@dataclass
class Line:
    article: str
    amount: int
    price: float


@dataclass
class Order:
    number: int
    customer: str
    lines: list = field(default_factory=list)
    paid: bool = False


@dataclass(frozen=True)
class Point:
    x: float
    y: float


def make_orders(first):
    orders = []
    for number in range(first, first + ORDERS):
        order = Order(number, f"customer {number % 97}")
        for i in range(number % 4 + 1):
            order.lines.append(Line(f"article {i}", i + 1, 0.25 * number))
        orders.append(order)
    return orders


def run(scale):
    kept = []
    for turn in range(max(1, round(60 * scale))):
        orders = make_orders(turn * ORDERS)
        paid = [replace(order, paid=True) for order in orders if order.number % 3]
        by_customer = {}
        for order in paid:
            by_customer.setdefault(order.customer, []).append(order)
        if sum(map(len, by_customer.values())) != ORDERS - ORDERS // 3:
            raise AssertionError("orders are missing")
        lines = sorted((line for o in orders for line in o.lines), key=lambda l: l.price)
        if len(lines) != ORDERS * 10 // 4 or lines[0].price > lines[-1].price:
            raise AssertionError("the lines are not what they were")
        track = [Point(0.5 * i, 0.25 * i) for i in range(ORDERS)]
        moved = [Point(p.x + 1.0, p.y + 2.0) for p in track]
        if moved[-1] != Point(0.5 * ORDERS + 0.5, 0.25 * ORDERS + 1.75):
            raise AssertionError("a point went elsewhere")
        kept.append(moved[::50])
        del kept[:-8]
