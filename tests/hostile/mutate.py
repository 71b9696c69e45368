"""Random damage to a file: what disks, networks, other programs and attackers do to bytes."""

from random import Random

NUMBERS = [0, 1, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 10**9]
TEXTS = [
    b"-1",
    b"999999999999999999999999999999",
    b"NaN",
    b"null",
    b"[" * 200,
    b"{",
    b'"',
    b"\xe9",
    b"\n",
    b"\0",
    b"../x",
]


def mutate(content: bytes, others: list[bytes], random: Random) -> bytes:
    """Return `content` with one to four changes, some of them pieces of `others`."""
    data = bytearray(content)
    for _ in range(random.randint(1, 4)):
        random.choice(_CHANGES)(data, random, random.choice(others))
    return bytes(data)


def _place(data: bytearray, random: Random) -> int:
    """Return a position: headers are at the beginning, or at a multiple of 512."""
    if random.random() < 0.3:
        return random.randrange(min(len(data), 512) + 1)
    place = random.randrange(len(data) + 1)
    return place // 512 * 512 + random.randrange(160) if random.random() < 0.3 else place


def _flip(data: bytearray, random: Random, _: bytes) -> None:
    if data:
        data[min(_place(data, random), len(data) - 1)] ^= 1 << random.randrange(8)


def _number(data: bytearray, random: Random, _: bytes) -> None:
    place, size = _place(data, random), random.choice([1, 2, 4, 8])
    number = (random.choice(NUMBERS) % 256**size).to_bytes(size, random.choice(["little", "big"]))
    data[place : place + size] = number


def _text(data: bytearray, random: Random, _: bytes) -> None:
    place, text = _place(data, random), random.choice(TEXTS)
    data[place : place + random.choice([0, len(text)])] = text


def _cut(data: bytearray, random: Random, _: bytes) -> None:
    del data[_place(data, random) :]


def _remove(data: bytearray, random: Random, _: bytes) -> None:
    place = _place(data, random)
    del data[place : place + random.choice([1, 4, 512, 5000])]


def _zeros(data: bytearray, random: Random, _: bytes) -> None:
    place, size = _place(data, random) // 512 * 512, 512 * random.choice([1, 2, 30])
    data[place : place + size] = bytes(len(data[place : place + size]))


def _repeat(data: bytearray, random: Random, _: bytes) -> None:
    place = _place(data, random)
    piece = bytes(data[place : place + random.choice([1, 16, 512, 3000])])
    data[place:place] = piece * random.choice([1, 2, 50])


def _splice(data: bytearray, random: Random, other: bytes) -> None:
    place, start = _place(data, random), random.randrange(len(other) + 1)
    data[place:place] = other[start : start + random.choice([8, 512, 4000])]


_CHANGES = (_flip, _flip, _number, _number, _text, _cut, _remove, _zeros, _repeat, _splice)


def shrink(content: bytes, fails, attempts: int = 150) -> bytes:
    """Return a shorter input for which `fails` still holds: pieces are left out, halves first."""
    size = len(content) // 2
    while size and attempts:
        for start in range(0, len(content), size):
            shorter = content[:start] + content[start + size :]
            attempts -= 1
            if shorter != content and fails(shorter):
                content = shorter
                break
            if not attempts:
                break
        else:
            size //= 2
    return content
