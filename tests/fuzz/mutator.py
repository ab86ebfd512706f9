"""Makes hostile bytes out of sound ones: the same seed gives the same cases."""

import random
import re
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

T = TypeVar("T")

MAX_CASE: Final = 300_000
_WORD: Final = re.compile(rb'"(?:[^"\\]|\\.){0,200}"|[A-Za-z0-9_.:+-]{1,200}')
# What parsers, numbers, texts and times stumble over.
TOKENS: Final = (
    b"", b"null", b"true", b"NaN", b"-Infinity", b"1e999", b"-0", b"2.0", b"9" * 30, b"9" * 5000, b"0." + b"1" * 400,
    b"18446744073709551616", b"-9223372036854775809", b'"\\ud800"', b'"\\u0000"', b"\\u2028", b"\xe2\x80\xae", b"\xff",
    b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\xcc\x81" * 40, b"\x00", b"\r\n", b"\n", b"\x1b[31m", b'"', b"'", b"{}", b"[]",
    b"{", b"}", b"[", b"]", b",", b":", b'""', b"~0~1", b"%s", b"..", b"\x1e", b"\x1f", b'"__proto__"', b"0x1f", b"1_0",
    b'"0001-01-01T00:00:00Z"', b'"9999-12-31T23:59:60+14:00"', b'"2026-02-30T00:00:00Z"', b"a" * 65, b"a" * 501,
)  # fmt: skip
_NESTS: Final = ((b"[", b"]"), (b'{"a":', b"}"), (b"[", b""), (b'{"a":', b""), (b"a.", b""), (b"{a=", b"}"))
_LENGTHS: Final = (10, 199, 201, 1000, 5000, 60_000)


class Mutator:
    """Gives one case after the other out of sound ones and the words that these are made of."""

    def __init__(self, seed: int, seeds: Sequence[bytes], tokens: Sequence[bytes] = ()) -> None:
        self._chance = random.Random(seed)  # noqa: S311  nothing here is secret
        self._seeds = list(seeds)
        words = {word for each in seeds for word in _WORD.findall(each)}
        self._tokens: list[bytes] = [*TOKENS, *tokens, *sorted(words)]
        self._ways: tuple[Callable[[bytes, int], bytes], ...] = (
            self._flip, self._flip, self._insert, self._insert, self._delete, self._double, self._splice,
            self._word, self._word, self._word, self._cut,
        )  # fmt: skip

    def case(self) -> bytes:
        """Gives the next case; most are changed in a place or two, a few without any likeness."""
        chance = self._chance.random
        made = self._pick(self._seeds)
        if chance() < 0.01:
            return self._rare(made)
        for _ in range(1 + int(float(chance() ** 3) * 6)):
            made = self._pick(self._ways)(made, int(chance() * (len(made) + 1)))
        return made[:MAX_CASE]

    def _pick(self, choices: Sequence[T]) -> T:
        return choices[int(self._chance.random() * len(choices))]

    def _length(self) -> int:
        return 1 + int(self._chance.random() ** 3 * 60)

    def _flip(self, made: bytes, at: int) -> bytes:
        if at == len(made):
            return made
        byte = made[at] ^ (1 << int(self._chance.random() * 8))
        return b"%b%c%b" % (made[:at], byte, made[at + 1 :])

    def _insert(self, made: bytes, at: int) -> bytes:
        return made[:at] + self._pick(self._tokens) + made[at:]

    def _delete(self, made: bytes, at: int) -> bytes:
        return made[:at] + made[at + self._length() :]

    def _double(self, made: bytes, at: int) -> bytes:
        part = made[at : at + self._length()]
        return made[:at] + part * (2 + int(self._chance.random() ** 4 * 50)) + made[at:]

    def _splice(self, made: bytes, at: int) -> bytes:
        other = self._pick(self._seeds)
        return made[:at] + other[int(self._chance.random() * (len(other) + 1)) :]

    def _word(self, made: bytes, at: int) -> bytes:
        found = _WORD.search(made, at)
        return made if found is None else made[: found.start()] + self._pick(self._tokens) + made[found.end() :]

    def _cut(self, made: bytes, at: int) -> bytes:
        return made[:at]

    def _rare(self, made: bytes) -> bytes:
        chance = self._chance
        way, at, count = chance.random(), chance.randrange(len(made) + 1), self._pick(_LENGTHS)
        if way < 0.3:
            return chance.randbytes(chance.randrange(400))
        if way < 0.6:
            return (made[:at] + self._pick(self._tokens) * (count // 20) + made[at:])[:MAX_CASE]
        before, after = self._pick(_NESTS)
        found = _WORD.search(made, at)
        start, end = (at, at) if found is None else found.span()
        return (made[:start] + before * count + made[start:end] + after * count + made[end:])[:MAX_CASE]
