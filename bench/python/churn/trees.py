"""Binary trees of objects with slots: built, walked and dropped, many short-lived
beside one that stays. Churns instances of 48 bytes and the frames of their calls."""

DEPTH = 11


class Node:
    __slots__ = ("left", "right", "value")

    def __init__(self, left, right, value):
        self.left = left
        self.right = right
        self.value = value


def build(depth, value):
    if depth == 0:
        return Node(None, None, value)
    return Node(build(depth - 1, 2 * value), build(depth - 1, 2 * value + 1), value)


def count(node):
    if node.left is None:
        return 1
    return 1 + count(node.left) + count(node.right)


def run(scale):
    stays = build(DEPTH + 3, 1)
    for _ in range(max(1, round(350 * scale))):
        if count(build(DEPTH, 1)) != 2 ** (DEPTH + 1) - 1:
            raise AssertionError("a tree lost nodes")
    if count(stays) != 2 ** (DEPTH + 4) - 1:
        raise AssertionError("the tree that stays lost nodes")
