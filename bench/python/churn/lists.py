"""Lists that grow by append, are cut, joined, nested and dropped. Churns list objects
and their arrays, from 8 bytes to a megabyte, which grow by realloc."""


def sieve(limit):
    prime = [True] * limit
    prime[0:2] = [False, False]
    for n in range(2, int(limit**0.5) + 1):
        if prime[n]:
            prime[n * n :: n] = [False] * len(range(n * n, limit, n))
    return [n for n, is_prime in enumerate(prime) if is_prime]


def merge_sort(values):
    if len(values) <= 4:
        return sorted(values)
    middle = len(values) // 2
    left, right = merge_sort(values[:middle]), merge_sort(values[middle:])
    merged, i, j = [], 0, 0
    while i < len(left) and j < len(right):
        if left[i] <= right[j]:
            merged.append(left[i])
            i += 1
        else:
            merged.append(right[j])
            j += 1
    return merged + left[i:] + right[j:]


def pascal(rows):
    row = [1]
    for _ in range(rows):
        row = [1] + [a + b for a, b in zip(row, row[1:])] + [1]
    return row


def buckets(n, width):
    table = [[] for _ in range(width)]
    for i in range(n):
        table[i * 7 % width].append(i)
    return table


def run(scale):
    for turn in range(max(1, round(55 * scale))):
        if len(sieve(100_000)) != 9_592:
            raise AssertionError("the primes below 100,000 are 9,592")
        mixed = [n * 7_919 % 4_001 for n in range(1, 4_001)]
        if merge_sort(mixed) != list(range(1, 4_001)):
            raise AssertionError("the list is not sorted")
        if sum(pascal(60)) != 2**60:
            raise AssertionError("the row does not add up")
        table = buckets(20_000, 1_000)
        if {len(bucket) for bucket in table} != {20}:
            raise AssertionError("the buckets are not even")
        grid = [[0] * 60 for _ in range(60)]
        turned = [list(column) for column in zip(*grid)]
        if len(turned) != 60 or sum(map(sum, turned)):
            raise AssertionError("the grid is not empty")
