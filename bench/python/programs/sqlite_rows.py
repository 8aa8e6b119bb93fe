"""A shop's database in memory with sqlite3: orders come in and the oldest go out, they
are joined, summed up and read into objects. Churns rows, tuples, strings and objects on
the side of Python, and what SQLite itself needs; a window of orders is in the tables.
"""

import random
import sqlite3
from collections import defaultdict
from contextlib import closing
from dataclasses import dataclass, field

CUSTOMERS = 300
PRODUCTS = 120
ORDERS_PER_DAY = 150
KEPT_DAYS = 10

SCHEMA = """
CREATE TABLE customer (id INTEGER PRIMARY KEY, name TEXT NOT NULL, city TEXT NOT NULL);
CREATE TABLE product (id INTEGER PRIMARY KEY, name TEXT UNIQUE, cents INTEGER NOT NULL);
CREATE TABLE purchase (
    id INTEGER PRIMARY KEY, customer INTEGER NOT NULL REFERENCES customer, day INTEGER,
    note TEXT
);
CREATE TABLE line (
    purchase INTEGER NOT NULL REFERENCES purchase ON DELETE CASCADE,
    product INTEGER NOT NULL REFERENCES product, count INTEGER CHECK (count > 0)
);
CREATE INDEX purchase_by_customer ON purchase (customer);
CREATE INDEX purchase_by_day ON purchase (day);
CREATE INDEX line_by_purchase ON line (purchase);
"""


def check(what, got, expected):
    if got != expected:
        raise AssertionError(f"{what}: expected {expected!r}, got {got!r}")


@dataclass
class Line:
    product: str
    count: int
    cents: int


@dataclass
class Order:
    id: int
    customer: str
    day: int
    note: str
    lines: list = field(default_factory=list)

    def total(self):
        return sum(line.count * line.cents for line in self.lines)


class Longest:
    """An aggregate for SQL: the longest text."""

    def __init__(self):
        self.text = ""

    def step(self, text):
        if text is not None and len(text) > len(self.text):
            self.text = text

    def finalize(self):
        return self.text


class Shop:
    def __init__(self, connection, rng):
        self.connection = connection
        self.rng = rng
        self.prices = {product: 50 + 13 * product for product in range(PRODUCTS)}
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA foreign_keys = ON")
        connection.executescript(SCHEMA)
        connection.create_function("shout", 1, lambda text: text.upper() + "!")
        connection.create_aggregate("longest", 1, Longest)
        with connection:
            connection.executemany(
                "INSERT INTO customer VALUES (?, ?, ?)",
                (
                    (number, f"Customer {number}", f"City {number % 17}")
                    for number in range(CUSTOMERS)
                ),
            )
            connection.executemany(
                "INSERT INTO product VALUES (:id, :name, :cents)",
                (
                    {"id": product, "name": f"Product {product}", "cents": cents}
                    for product, cents in self.prices.items()
                ),
            )

    def sell(self, day):
        """The orders of a day; returns their totals by id."""
        rng, totals = self.rng, {}
        with self.connection:
            for _ in range(ORDERS_PER_DAY):
                note = "please hurry, " * rng.randrange(4) or None
                cursor = self.connection.execute(
                    "INSERT INTO purchase (customer, day, note) VALUES (?, ?, ?)",
                    (rng.randrange(CUSTOMERS), day, note),
                )
                products = rng.sample(range(PRODUCTS), rng.randrange(1, 7))
                lines = [
                    (cursor.lastrowid, product, rng.randrange(1, 5))
                    for product in products
                ]
                self.connection.executemany("INSERT INTO line VALUES (?, ?, ?)", lines)
                totals[cursor.lastrowid] = sum(
                    count * self.prices[product] for _, product, count in lines
                )
        return totals

    def forget(self, day):
        with self.connection:
            sql = "DELETE FROM purchase WHERE day <= ?"
            return self.connection.execute(sql, (day,)).rowcount

    def orders(self, day):
        orders = {}
        for row in self.connection.execute(
            """
            SELECT purchase.id, customer.name AS customer, day, note,
                product.name AS product, count, cents
            FROM purchase
            JOIN customer ON customer.id = purchase.customer
            JOIN line ON line.purchase = purchase.id
            JOIN product ON product.id = line.product
            WHERE day = ? ORDER BY purchase.id, line.rowid
            """,
            (day,),
        ):
            order = orders.get(row["id"])
            if order is None:
                order = Order(row["id"], row["customer"], row["day"], row["note"])
                orders[order.id] = order
            order.lines.append(Line(row["product"], row["count"], row["cents"]))
        return orders

    def totals_by_city(self):
        return self.connection.execute("""
            SELECT
                city, COUNT(DISTINCT purchase.id) AS orders, SUM(count * cents) AS cents
            FROM purchase
            JOIN customer ON customer.id = purchase.customer
            JOIN line ON line.purchase = purchase.id
            JOIN product ON product.id = line.product
            GROUP BY city ORDER BY city
            """).fetchall()

    def history(self, customer):
        sql = "SELECT * FROM purchase WHERE customer = ? ORDER BY day DESC, id LIMIT 20"
        return [dict(row) for row in self.connection.execute(sql, (customer,))]

    def check_failed_sale(self):
        """An order with a product that is not there leaves no trace."""
        sql = "SELECT COUNT(*) FROM purchase"
        (before,) = self.connection.execute(sql).fetchone()
        try:
            with self.connection:
                cursor = self.connection.execute(
                    "INSERT INTO purchase (customer, day) VALUES (1, 0)"
                )
                self.connection.execute(
                    "INSERT INTO line VALUES (?, ?, 1)", (cursor.lastrowid, PRODUCTS)
                )
        except sqlite3.IntegrityError:
            pass
        else:
            raise AssertionError("an order of nothing was accepted")
        (after,) = self.connection.execute(sql).fetchone()
        check("orders after a failed one", after, before)


def check_day(shop, day, totals):
    orders = shop.orders(day)
    found = {order.id: order.total() for order in orders.values()}
    check("totals of the orders", found == totals, True)
    shouted, note = shop.connection.execute(
        "SELECT shout(longest(note)), longest(note) FROM purchase WHERE day = ?", (day,)
    ).fetchone()
    longest = max((order.note or "" for order in orders.values()), key=len)
    check("longest note", note, longest)
    check("shouted note", shouted, longest.upper() + "!")
    by_customer = defaultdict(list)
    for order in orders.values():
        by_customer[order.customer].append(order)
    for name in sorted(by_customer)[:40]:
        history = shop.history(int(name.split()[1]))
        today = [entry["id"] for entry in history if entry["day"] == day]
        check("orders of today", today, [order.id for order in by_customer[name]])


def run(scale):
    with closing(sqlite3.connect(":memory:")) as connection:
        shop = Shop(connection, random.Random(1974))
        days = {}
        for day in range(max(1, round(60 * scale))):
            days[day] = shop.sell(day)
            if day >= KEPT_DAYS:
                forgotten = days.pop(day - KEPT_DAYS)
                check("forgotten", shop.forget(day - KEPT_DAYS), len(forgotten))
            check_day(shop, day, days[day])
            shop.check_failed_sale()
            cities = shop.totals_by_city()
            check(
                "orders",
                sum(row["orders"] for row in cities),
                sum(map(len, days.values())),
            )
            cents = sum(sum(totals.values()) for totals in days.values())
            check("cents", sum(row["cents"] for row in cities), cents)
