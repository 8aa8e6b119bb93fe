"""Reports from CSV: made-up sales are written as CSV, read again row by row, grouped
by region, month and product, summed up with Decimal, and reported as text and as CSV
again. Churns rows, dicts, strings, dates and Decimals; the last reports stay alive.
"""

import csv
import datetime
import io
import random
from collections import Counter, defaultdict, deque, namedtuple
from decimal import ROUND_HALF_UP, Decimal

SALES_PER_FILE = 1500
KEPT_REPORTS = 10

FIELDS = ["date", "region", "product", "customer", "quantity", "price", "discount"]
REGIONS = ["North", "South", "East, far", 'The "West"']
CENT = Decimal("0.01")

Sale = namedtuple("Sale", "date region product customer quantity amount")


def check(what, got, expected):
    if got != expected:
        raise AssertionError(f"{what}: expected {expected!r}, got {got!r}")


def make_file(rng):
    """The text of a file, and the thousandths of its sales by region."""
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(FIELDS)
    expected = Counter()
    first = datetime.date(2021, 1, 1)
    for _ in range(SALES_PER_FILE):
        region = rng.choice(REGIONS)
        quantity, cents = rng.randrange(1, 20), rng.randrange(100, 100000)
        discount = rng.choice([0, 0, 0, 1, 2])  # tenths
        writer.writerow(
            [
                (first + datetime.timedelta(rng.randrange(365))).isoformat(),
                region,
                f"Product {rng.randrange(25)}",
                f"Customer {rng.randrange(400)}\nStreet {rng.randrange(90)}",
                quantity,
                f"{cents // 100}.{cents % 100:02}",
                f"0.{discount}" if discount else "",
            ]
        )
        expected[region] += quantity * cents * (10 - discount)
    return file.getvalue(), expected


def read_sales(text):
    for row in csv.DictReader(io.StringIO(text, newline="")):
        quantity = int(row["quantity"])
        amount = quantity * Decimal(row["price"])
        if row["discount"]:
            amount *= 1 - Decimal(row["discount"])
        yield Sale(
            datetime.date.fromisoformat(row["date"]),
            row["region"],
            row["product"],
            row["customer"].split("\n")[0],
            quantity,
            amount,
        )


def group_by(items, key):
    groups = defaultdict(list)
    for item in items:
        groups[key(item)].append(item)
    return dict(groups)


def total(sales):
    return sum((sale.amount for sale in sales), Decimal(0))


def rounded(amount):
    return amount.quantize(CENT, ROUND_HALF_UP)


def shares(totals):
    """Percents with one digit after the point."""
    whole = sum(totals.values())
    tenth = Decimal("0.1")
    return {
        name: (100 * amount / whole).quantize(tenth, ROUND_HALF_UP)
        for name, amount in totals.items()
    }


class Report:
    def __init__(self, sales):
        self.total = total(sales)
        regions = group_by(sales, lambda sale: sale.region)
        self.regions = {name: total(regions[name]) for name in sorted(regions)}
        self.shares = shares(self.regions)
        months = group_by(sales, lambda sale: (sale.region, sale.date.month))
        self.months = {key: total(months[key]) for key in sorted(months)}
        self.products = Counter()
        for sale in sales:
            self.products[sale.product] += sale.quantity
        customers = group_by(sales, lambda sale: sale.customer)
        totals = [(total(group), name) for name, group in customers.items()]
        self.best_customers = sorted(totals, reverse=True)[:10]

    def lines(self):
        yield f"{'Region':<12}{'Sales':>16}{'Share':>8}"
        for region, amount in self.regions.items():
            share = self.shares[region]
            yield f"{region:<12}{rounded(amount):>16,}{share:>7}%"
        yield f"{'Total':<12}{rounded(self.total):>16,}"
        for number, (amount, name) in enumerate(self.best_customers, 1):
            yield f"{number:>3}. {name:<20}{rounded(amount):>16,}"
        for product, quantity in sorted(self.products.items()):
            yield f"{product:<20} {quantity:>6}"

    def as_csv(self):
        file = io.StringIO(newline="")
        writer = csv.DictWriter(file, ["region", "month", "amount"], delimiter=";")
        writer.writeheader()
        for (region, month), amount in self.months.items():
            writer.writerow({"region": region, "month": month, "amount": amount})
        return file.getvalue()


def check_report(report, sales, expected):
    found = {region: int(1000 * amount) for region, amount in report.regions.items()}
    check("thousandths by region", found, dict(expected))
    check("sum of the months", sum(report.months.values()), report.total)
    quantity = sum(sale.quantity for sale in sales)
    check("quantity", sum(report.products.values()), quantity)
    if abs(sum(report.shares.values()) - 100) > Decimal("0.2"):
        raise AssertionError(f"the shares are not all: {report.shares}")
    amounts = [amount for amount, _ in report.best_customers]
    check("best customers first", amounts, sorted(amounts, reverse=True))


def check_csv(report):
    rows = csv.DictReader(io.StringIO(report.as_csv(), newline=""), delimiter=";")
    months = {
        (row["region"], int(row["month"])): Decimal(row["amount"]) for row in rows
    }
    check("months read again", months == report.months, True)


def check_known_file():
    text = "date,region,product,customer,quantity,price,discount\r\n"
    text += '2021-03-04,"a, b",p,"c ""d""\ne",3,1.05,0.1\r\n'
    sale = Sale(datetime.date(2021, 3, 4), "a, b", "p", 'c "d"', 3, Decimal("2.835"))
    check("known sale", list(read_sales(text)), [sale])
    lines = list(Report([sale]).lines())
    check("known line", lines[1], "a, b                    2.84  100.0%")


def run(scale):
    rng = random.Random(1494)
    kept = deque(maxlen=KEPT_REPORTS)
    check_known_file()
    for _ in range(max(1, round(48 * scale))):
        text, expected = make_file(rng)
        sales = list(read_sales(text))
        check("sales", len(sales), SALES_PER_FILE)
        report = Report(sales)
        check_report(report, sales, expected)
        check_csv(report)
        page = "\n".join(report.lines())
        lines = 1 + len(REGIONS) + 1 + 10 + len(report.products)
        check("lines of the page", page.count("\n") + 1, lines)
        kept.append((sales, report, page))
    for sales, report, page in kept:
        check("total of a kept report", total(sales), report.total)
        check("kept page", "\n".join(report.lines()) == page, True)
