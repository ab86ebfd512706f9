"""How long a partition's oldest record has waited, from looks at its end."""

from service.consume.lag import MOST_LOOKS, Waiting


def test_nothing_waits() -> None:
    """A partition that is caught up is not behind, however old its last record is."""
    waiting = Waiting()
    assert waiting.seconds(100, end=5, position=5, handled_until=1) == 0
    assert waiting.seconds(500, end=5, position=5, handled_until=1) == 0


def test_a_record_comes_after_a_long_silence() -> None:
    """It has waited since it was seen, not since the record before it."""
    waiting = Waiting()
    waiting.seconds(1_000, end=5, position=5, handled_until=1)
    assert waiting.seconds(1_005, end=6, position=5, handled_until=1) == 0
    assert waiting.seconds(1_010, end=9, position=5, handled_until=1) == 5
    assert waiting.seconds(1_060, end=9, position=5, handled_until=1) == 55


def test_moving_on_while_behind() -> None:
    """Each position has the age of the look at which its record was there first."""
    waiting = Waiting()
    waiting.seconds(0, end=10, position=10, handled_until=0)
    waiting.seconds(5, end=20, position=10, handled_until=0)
    waiting.seconds(10, end=30, position=10, handled_until=0)
    assert waiting.seconds(15, end=40, position=20, handled_until=4) == 5
    assert waiting.seconds(20, end=40, position=40, handled_until=14) == 0


def test_behind_since_before_the_first_look() -> None:
    """The record handled last tells: the next one was appended right after it."""
    waiting = Waiting()
    assert waiting.seconds(10_000, end=500, position=100, handled_until=None) == 0
    assert waiting.seconds(10_005, end=500, position=200, handled_until=7_000) == 3_005
    assert waiting.seconds(10_010, end=500, position=500, handled_until=9_000) == 0
    assert waiting.seconds(10_015, end=501, position=500, handled_until=9_000) == 0


def test_looks_are_bounded() -> None:
    """A long outage of the database keeps the first look and costs no memory without end."""
    waiting = Waiting()
    waiting.seconds(-1, end=0, position=0, handled_until=None)
    for number in range(MOST_LOOKS * 5):
        waiting.seconds(number, end=number + 1, position=0, handled_until=None)
    assert len(waiting.looks) <= MOST_LOOKS
    assert waiting.seconds(90_000, end=9_999_999, position=0, handled_until=None) == 90_000
