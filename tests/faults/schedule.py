"""Which faults happen and in which order: the same for the same seed."""

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from tests.faults.kinds.fault import Fault
from tests.faults.kinds.registry import Make, all_kinds


def schedule(seed: int, kinds: Mapping[str, Make], together: float = 0.2) -> Iterator[Sequence[Fault]]:
    """Round after round of these kinds, shuffled; now and then two of different areas at a time."""
    chance = random.Random(seed)  # noqa: S311
    while True:
        waiting = _shuffled(chance, kinds)
        while waiting:
            first = waiting.pop()
            others = [fault for fault in waiting if fault.area != first.area]
            if others and chance.random() < together:
                waiting.remove(others[0])
                yield first, others[0]
            else:
                yield (first,)


def crowded_round(seed: int, most: int) -> list[Sequence[Fault]]:
    """Every kind once, so many at a time wherever the areas allow it."""
    waiting = _shuffled(random.Random(seed), all_kinds())  # noqa: S311
    taken = []
    while waiting:
        taken.append(_crowd(waiting, most))
    return taken


def _shuffled(chance: random.Random, kinds: Mapping[str, Make]) -> list[Fault]:
    made = [make(chance) for make in kinds.values()]
    chance.shuffle(made)
    return made


def _crowd(waiting: list[Fault], most: int) -> Sequence[Fault]:
    """Takes faults of different areas, from those with the most left, so that in the end none is left alone."""
    taken: list[Fault] = []
    while len(taken) < most:
        areas = Counter(fault.area for fault in waiting if fault.area not in {other.area for other in taken})
        if not areas:
            break
        area = areas.most_common(1)[0][0]
        taken.append(next(fault for fault in waiting if fault.area == area))
        waiting.remove(taken[-1])
    return taken
