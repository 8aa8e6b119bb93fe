"""A shop under asyncio: customers are tasks that put orders into a queue and await
their replies, workers take them out and share the stock under locks, and auditors
listen to what was sold. Churns coroutines, tasks, futures, handles and small objects;
all happens in this process, and nothing waits for the clock.
"""

import asyncio
import random
from collections import Counter

PRODUCTS = 24
STOCK = 250  # of each product in the morning
WORKERS = 12
CUSTOMERS = 250
ORDERS_PER_CUSTOMER = 6


def check(what, got, expected):
    if got != expected:
        raise AssertionError(f"{what}: expected {expected!r}, got {got!r}")


class OutOfStock(Exception):
    pass


class Order:
    def __init__(self, customer, lines):
        self.customer = customer
        self.lines = lines
        self.reply = asyncio.get_running_loop().create_future()


class Channel:
    """Everything published goes to the queue of every subscriber."""

    def __init__(self):
        self.queues = []

    def subscribe(self):
        queue = asyncio.Queue()
        self.queues.append(queue)
        return queue

    async def publish(self, event):
        for queue in self.queues:
            await queue.put(event)

    async def events(self, queue):
        while True:
            event = await queue.get()
            if event is None:
                self.queues.remove(queue)
                return
            yield event


class Shop:
    def __init__(self):
        self.prices = {product: 100 + 7 * product for product in range(PRODUCTS)}
        self.stock = {}
        self.locks = {product: asyncio.Lock() for product in self.prices}
        self.orders = asyncio.Queue(maxsize=50)
        self.sales = Channel()
        self.revenue = 0

    async def take(self, product, count):
        async with self.locks[product]:
            left = self.stock[product]
            await asyncio.sleep(0)  # a look into the database
            if left < count:
                raise OutOfStock(product)
            self.stock[product] = left - count
        return product, count, count * self.prices[product]

    async def give_back(self, product, count):
        async with self.locks[product]:
            self.stock[product] += count

    async def serve(self, order):
        parts = await asyncio.gather(
            *(self.take(product, count) for product, count in order.lines.items()),
            return_exceptions=True,
        )
        failed = [part for part in parts if isinstance(part, Exception)]
        taken = [part for part in parts if not isinstance(part, Exception)]
        if failed or order.reply.cancelled():
            for product, count, _ in taken:
                await self.give_back(product, count)
            if failed and not order.reply.cancelled():
                order.reply.set_exception(failed[0])
            return
        total = sum(price for _, _, price in taken)
        self.revenue += total
        order.reply.set_result({"customer": order.customer, "total": total})
        await self.sales.publish((order.customer, tuple(taken)))

    async def work(self):
        served = 0
        while True:
            order = await self.orders.get()
            if order is None:
                return served
            await self.serve(order)
            served += 1


async def visit(shop, customer, seed):
    rng = random.Random(seed)
    paid, outcomes = 0, Counter()
    for _ in range(ORDERS_PER_CUSTOMER):
        products = rng.sample(range(PRODUCTS), rng.randrange(1, 4))
        order = Order(customer, {product: rng.randrange(1, 5) for product in products})
        await shop.orders.put(order)
        if rng.random() < 0.05:
            order.reply.cancel()
        try:
            receipt = await asyncio.wait_for(order.reply, timeout=600)
        except OutOfStock:
            outcomes["refused"] += 1
        except asyncio.CancelledError:
            outcomes["cancelled"] += 1
        else:
            outcomes["bought"] += 1
            check("customer on the receipt", receipt["customer"], customer)
            paid += receipt["total"]
    return paid, outcomes


async def audit(shop, queue):
    sold, total = Counter(), 0
    async for _, parts in shop.sales.events(queue):
        for product, count, price in parts:
            sold[product] += count
            total += price
    return sold, total


async def one_day(shop, day):
    for product in range(PRODUCTS):
        shop.stock[product] = STOCK
    shop.revenue = 0
    auditors = [
        asyncio.create_task(audit(shop, shop.sales.subscribe())) for _ in range(2)
    ]
    workers = [asyncio.create_task(shop.work()) for _ in range(WORKERS)]
    visits = await asyncio.gather(
        *(
            visit(shop, f"customer {number}", day * CUSTOMERS + number)
            for number in range(CUSTOMERS)
        )
    )
    for _ in workers:
        await shop.orders.put(None)
    served = sum(await asyncio.gather(*workers))
    await shop.sales.publish(None)

    outcomes = Counter()
    for _, of_one in visits:
        outcomes.update(of_one)
    check("orders served", served, CUSTOMERS * ORDERS_PER_CUSTOMER)
    check("outcomes", sum(outcomes.values()), served)
    check("some of each", sorted(outcomes), ["bought", "cancelled", "refused"])
    check("money paid", sum(paid for paid, _ in visits), shop.revenue)
    for sold, total in await asyncio.gather(*auditors):
        check("audited revenue", total, shop.revenue)
        for product, left in shop.stock.items():
            check("sold and left", sold[product] + left, STOCK)
    check("subscribers left", len(shop.sales.queues), 0)


async def all_days(days):
    shop = Shop()
    for day in range(days):
        await one_day(shop, day)


def run(scale):
    asyncio.run(all_days(max(1, round(8 * scale))))
