"""Whether one order of the commands explains all that was seen: serialisability, for each aggregate or group by itself.

Commands of one aggregate that lie in one partition were decided in their order; between partitions, topics and
aggregates there is none, so it is searched.
What changes nothing is taken as soon as it fits, since it stands in nobody's way; of several changes that fit, the one
whose event came first is tried first. A set of consumed prefixes fixes the state, so none is visited twice.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import orjson

from tests.e2e.model import Applied
from tests.faults.evidence import Asked, CommandKey, Lane, Said
from tests.faults.kept import Change, Filed, Name, Observed, frozen
from tests.faults.model import Answer, answer
from tests.faults.model_state import Aggregates, Facts, State

MOST_STEPS = 300_000


@dataclass(slots=True)
class Unit:
    """Aggregates that commands can reach together: the first records of their commands, in lanes that have an order."""

    lanes: dict[tuple[Lane, str], list[Asked]] = field(default_factory=dict)
    facts: Facts = field(default_factory=Facts)
    replies: set[CommandKey] = field(default_factory=set)


@dataclass(slots=True)
class Replayed:
    """The state that the commands lead to, and where no order fits any more."""

    aggregates: Aggregates
    wrong: list[str]
    results: dict[CommandKey, bool]


@dataclass(frozen=True, slots=True)
class _Point:
    """How much of each lane is done, and what that led to."""

    positions: tuple[int, ...]
    state: State


@dataclass(frozen=True, slots=True)
class _Step:
    point: _Point
    changes: bool
    timestamp: int


def replay(unit: Unit, observed: Mapping[CommandKey, Observed]) -> Replayed:
    """Finds an order that explains what was seen of a unit, or tells where the search got stuck."""
    return _Search(unit, observed).run()


class _Search:
    def __init__(self, unit: Unit, observed: Mapping[CommandKey, Observed]) -> None:
        self._unit = unit
        self._observed = observed
        self._lanes = list(unit.lanes.values())
        self._furthest = _Point((0,) * len(self._lanes), State())

    def run(self) -> Replayed:
        """Depth first, with the points that were left for later."""
        later: list[_Point] = []
        seen: set[tuple[int, ...]] = set()
        point = self._furthest
        for _ in range(MOST_STEPS):
            if sum(point.positions) > sum(self._furthest.positions):
                self._furthest = point
            if all(done == len(lane) for done, lane in zip(point.positions, self._lanes, strict=True)):
                return Replayed(point.state.aggregates, [], self._due())
            steps = [step for step in self._steps(point) if step.point.positions not in seen]
            if steps and not steps[0].changes:
                del steps[1:]
            later.extend(step.point for step in reversed(steps))
            if not later:
                return Replayed(self._furthest.state.aggregates, self._stuck(), {})
            point = later.pop()
            if len(self._lanes) > 1:
                seen.add(point.positions)
        return Replayed(
            self._furthest.state.aggregates, ["undecided: too many orders are possible", *self._stuck()], {}
        )

    def _steps(self, point: _Point) -> list[_Step]:
        """Those commands whose turn it may be, what changes nothing first."""
        steps = []
        for number, (done, lane) in enumerate(zip(point.positions, self._lanes, strict=True)):
            if done < len(lane):
                asked = lane[done]
                seen = self._observed.get(asked.key, _NOTHING)
                found = self._answer(asked, point, seen)
                if self._fits(asked, found, seen):
                    positions = (*point.positions[:number], done + 1, *point.positions[number + 1 :])
                    after = _after(point.state, found)
                    first = min((change.timestamp for change in seen.changes), default=0)
                    steps.append(_Step(_Point(positions, after), bool(found.changes), first))
        return sorted(steps, key=lambda step: (step.changes, step.timestamp))

    def _answer(self, asked: Asked, point: _Point, seen: Observed) -> Answer:
        return answer(asked, point.state, self._unit.facts, expired=_EXPIRED in seen.said)

    def _fits(self, asked: Asked, found: Answer, seen: Observed) -> bool:
        return self._changed_so(asked, found, seen) and seen.said == self._to_say(asked, found)

    def _changed_so(self, asked: Asked, found: Answer, seen: Observed) -> bool:
        return {change.identity for change in seen.changes} == found.changes.keys() and all(
            _same(found.changes[change.identity], change, asked) for change in seen.changes
        )

    def _to_say(self, asked: Asked, found: Answer) -> tuple[Said, ...]:
        if found.said is None or (found.said.refused is None and asked.key not in self._unit.replies):
            return ()
        return (found.said,)

    def _due(self) -> dict[CommandKey, bool]:
        """Which commands were refused: each of their records is answered."""
        return {
            asked.key: any(said.refused is not None for said in self._observed.get(asked.key, _NOTHING).said)
            for lane in self._lanes
            for asked in lane
        }

    def _stuck(self) -> list[str]:
        """What was expected of the commands whose turn it was, and what was seen."""
        point = self._furthest
        heads = [lane[done] for done, lane in zip(point.positions, self._lanes, strict=True) if done < len(lane)]
        return [
            self._explain(asked, self._answer(asked, point, self._observed.get(asked.key, _NOTHING))) for asked in heads
        ]

    def _explain(self, asked: Asked, found: Answer) -> str:
        seen = self._observed.get(asked.key, _NOTHING)
        name = f"{asked.account} {asked.command.type} {asked.command.aggregate_id} {asked.command.id}"
        if found.changes and not seen.changes:
            kind = "lost: no event of a command that was to change something"
        elif seen.changes and not found.changes:
            kind = "an effect that was not to be"
        elif seen.changes and not self._changed_so(asked, found, seen):
            kind = "wrong state"
        else:
            kind = "wrong or missing result"
        expected = {identity[1]: (one.version, one.snapshot) for identity, one in found.changes.items()}
        got = {one.identity[1]: (one.version, orjson.loads(one.snapshot)) for one in seen.changes}
        return (
            f"{kind}: {name} at {asked.lane[0]}/{asked.lane[1]}/{asked.offset}: expected {expected} and "
            f"{self._to_say(asked, found)}, seen {got} and {seen.said}"
        )


def _same(expected: Applied, change: Change, asked: Asked) -> bool:
    origin = None if expected.identity[1] == asked.command.aggregate_id else asked.command.aggregate_id
    if (expected.version, origin) != (change.version, change.replicated_from):
        return False
    return frozen(expected.snapshot) == change.snapshot


_NOTHING = Observed()
_EXPIRED = Said(refused="expired")


def _after(state: State, found: Answer) -> State:
    if not found.changes:
        return state
    used = state.used if found.link is None else state.used | {found.link}
    return State({**state.aggregates, **found.changes}, used)


def units(files: Iterable[Filed], bonds: Mapping[Name, tuple[str, str]]) -> Iterator[Unit]:
    """Groups commands by the aggregates that they can reach together, by what ties these to others."""
    found: dict[Name, list[Filed]] = {}
    for filed in files:
        account, *_ = filed.name
        home = (account, *bonds[filed.name]) if filed.name in bonds else filed.name
        found.setdefault(home, []).append(filed)
    yield from map(_unit, found.values())


def _unit(files: Iterable[Filed]) -> Unit:
    unit = Unit()
    for filed in files:
        asked = filed.asked
        unit.lanes.setdefault((asked.lane, asked.command.aggregate_id), []).append(asked)
        unit.facts.learn(asked.command)
        if filed.wanted:
            unit.replies.add(filed.key)
    return unit
