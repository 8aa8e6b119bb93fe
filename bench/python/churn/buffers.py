"""Messages of 500 to 1,000 bytes as a proxy handles them: headed, cut, joined, copied, a
few hundred of them waiting in a queue. Churns bytes and bytearray objects."""

from collections import deque


def payload(number):
    return bytes([number & 0xFF]) * (500 + number * 61 % 501)


def pack(number, body):
    return number.to_bytes(4, "big") + len(body).to_bytes(4, "big") + body


def unpack(message):
    number = int.from_bytes(message[:4], "big")
    size = int.from_bytes(message[4:8], "big")
    body = message[8:]
    if len(body) != size:
        raise AssertionError("a message has another length")
    return number, body


def run(scale):
    queue = deque()
    seen = 0
    for number in range(max(1, round(260_000 * scale))):
        queue.append(pack(number, payload(number)))
        if len(queue) > 300:
            came, body = unpack(queue.popleft())
            if came != seen or body[-1] != came & 0xFF:
                raise AssertionError("a message is not the one that was sent")
            seen += 1
            answer = bytearray(body)
            answer += b"\r\n"
            answer[0] = 1
            if bytes(answer)[-2:] != b"\r\n":
                raise AssertionError("an answer has no end")
