"""An independent judge: it knows the topics and the wire contract, takes records one by one, judges at the end."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from tests.e2e.model import Applied, Identity
from tests.faults.evidence import (
    INTERNAL,
    STRANGER,
    Asked,
    CommandKey,
    Event,
    Evidence,
    Lane,
    Letter,
    Result,
    Said,
    SetUp,
    Stray,
)
from tests.faults.kept import Change, Filed, Name, Observed, frozen
from tests.faults.model_state import bond
from tests.faults.replay import replay, units

Aggregate = tuple[str, Identity]
Tell = Callable[[str], None]
_TURNED_AWAY = Said(refused="invalid_signature")
_TELL_AFTER = 20_000


@dataclass(slots=True)
class Verdict:
    """What was wrong, figures, and the state that the database must be in; `last` has it as JSON."""

    wrong: list[str] = field(default_factory=list)
    commands: int = 0
    records: int = 0
    events: int = 0
    results: int = 0
    repeated: int = 0
    letters: int = 0
    remembered: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    last: dict[Aggregate, tuple[int, bytes]] = field(default_factory=dict)
    aggregates: dict[Aggregate, Applied] = field(default_factory=dict)
    ends: dict[Lane, int] = field(default_factory=dict)


class Checker:
    """Takes the records of every topic, those of one partition in their order."""

    def __init__(self, *, signing: bool = False) -> None:
        """With `signing` whoever comes on an external channel signs, or bears a link."""
        self._signing = signing
        self._wrong: list[str] = []
        self._ends: dict[Lane, int] = {}
        self._firsts: dict[CommandKey, Filed] = {}
        self._names: dict[Name, Name] = {}
        self._bonds: dict[Name, tuple[str, str]] = {}
        self._strays: dict[tuple[Lane, int], bytes] = {}
        self._letters: dict[tuple[Lane, int], bytes] = {}
        self._observed: dict[CommandKey, Observed] = {}
        self._saids: dict[Said, tuple[Said, ...]] = {}
        self._bytes: dict[str, bytes] = {}
        self.timers = 0
        self._sequences: dict[Aggregate, str] = {}
        self._homes: dict[Aggregate, Lane] = {}
        self._last: dict[Aggregate, tuple[int, bytes]] = {}
        self._links: dict[str, tuple[str, Identity, str]] = {}
        self._events = self._results = self._repeated = self._set_up = 0

    def take(self, evidence: Evidence) -> None:
        """Looks at one record."""
        match evidence:
            case Asked():
                self._take_command(evidence)
            case Stray(lane, offset, digest):
                self._reach(lane, offset)
                self._strays[lane, offset] = digest
            case SetUp(lane, offset):
                self._reach(lane, offset)
                self._set_up += 1
            case Event():
                self._take_event(evidence)
            case Result():
                self._take_result(evidence)
            case Letter():
                self._take_letter(evidence)

    @property
    def fresh(self) -> int:
        """How many events were seen, repeats not included."""
        return self._events - self._repeated

    @property
    def records(self) -> int:
        """How many records lie on the command topics, those of timers included."""
        return sum(self._ends.values())

    def judge(self, *, most_repeated: int | None = None, tell: Tell = lambda _: None) -> Verdict:
        """Gives the verdict; no more than so many events may have been published again. `tell` hears how far it is."""
        strangers = {key for key, filed in self._firsts.items() if self._is_stranger(filed)}
        verdict = Verdict(list(self._wrong), len(self._firsts), self.records, self._events, self._results)
        verdict.repeated, verdict.letters = self._repeated, len(self._letters)
        verdict.last, verdict.ends = self._last, self._ends
        verdict.remembered = self._set_up + sum(
            key not in strangers and (not filed.system or key in self._observed) for key, filed in self._firsts.items()
        )
        if most_repeated is not None and self._repeated > most_repeated:
            verdict.wrong.append(
                f"published again: {self._repeated} of {self._events} events, while no more than {most_repeated} "
                "can be explained: has the relay two owners?"
            )
        verdict.wrong += self._misjudged_strays()
        answered = {(STRANGER, key[1]) for key in strangers}
        verdict.wrong += [
            f"an answer that nobody caused: {key} is on no command topic"
            for key in self._observed.keys() - self._firsts.keys() - answered
        ]
        verdict.wrong += [wrong for key in strangers for wrong in self._misjudged_stranger(key)]
        self._replay(verdict, strangers, tell)
        return verdict

    def _reach(self, lane: Lane, offset: int) -> None:
        if offset != self._ends.get(lane, 0):
            self._wrong.append(f"the log itself: {lane} goes from {self._ends.get(lane, 0)} to {offset}")
        self._ends[lane] = offset + 1

    def _take_command(self, asked: Asked) -> None:
        self._reach(asked.lane, asked.offset)
        filed = self._firsts.get(asked.key)
        if filed is None:
            own = (asked.account, asked.command.kind, asked.command.aggregate_id)
            name = self._names.setdefault(own, own)
            filed = Filed.of(asked, name)
            self._firsts[filed.key] = filed
            if (tied := bond(asked.command)) is not None:
                self._bonds[name] = tied
        if filed.lane != asked.lane:
            self._wrong.append(f"the senders: {filed.key} lies on {filed.lane} and {asked.lane}")
        self.timers += asked.system
        filed.came(reply=asked.command.reply)

    def _observe(self, key: CommandKey) -> Observed:
        filed = self._firsts.get(key)
        return self._observed.setdefault(key if filed is None else filed.key, Observed())

    def _take_event(self, event: Event) -> None:
        self._events += 1
        aggregate: Aggregate = (event.account, event.identity)
        name = f"{event.account} {event.identity[1]} version {event.version}"
        if self._bytes.setdefault(event.id, event.digest) != event.digest:
            self._wrong.append(f"different bytes for one ce_id: {event.id} of {name}")
        if not event.keyed:
            self._wrong.append(f"wrong headers: of {name}")
        if self._homes.setdefault(aggregate, event.lane) != event.lane:
            self._wrong.append(f"wrong partition: {name} on {event.lane}")
        observed = self._observe(event.command)
        known = observed.change_of(event.identity)
        # What a consumer does: drop what is not greater than the last seen.
        if event.sequence <= self._sequences.get(aggregate, ""):
            if known is None or known.version != event.version:
                self._wrong.append(f"out of order: {name} of {event.command[1]} comes late for the first time")
            self._repeated += 1
            return
        before = self._last.get(aggregate, (0, None))[0]
        if event.version != before + 1:
            self._wrong.append(f"gap: {name} follows {before}")
        if known is not None:
            self._wrong.append(f"two effects: {event.command} has made version {known.version} too, {name}")
        self._sequences[aggregate], self._last[aggregate] = event.sequence, (event.version, frozen(event.state))
        for action, token in event.links.items():
            self._links[token] = (event.account, event.identity, action)
        snapshot = frozen(event.snapshot)
        change = Change(event.identity, event.version, snapshot, event.replicated_from, event.timestamp)
        observed.changes = (*observed.changes, change)

    def _take_result(self, result: Result) -> None:
        self._results += 1
        if self._bytes.setdefault(result.id, result.digest) != result.digest:
            self._wrong.append(f"different bytes for one ce_id: {result.id}, a result of {result.command}")
        observed = self._observe(result.command)
        # Most say the same as many others.
        said = self._saids.setdefault(result.said, (result.said,))
        if result.said not in observed.said:
            observed.said = (*observed.said, result.said) if observed.said else said
        observed.results += 1

    def _take_letter(self, letter: Letter) -> None:
        place = (letter.lane, letter.offset)
        if letter.reason == "internal_error":
            self._wrong.append(f"a defect: the command at {place} ended in internal_error")
        elif self._letters.setdefault(place, letter.digest) != letter.digest:
            self._wrong.append(f"handled twice: {place} has two different dead letters")
        elif place in self._strays and self._strays[place] != letter.original:
            self._wrong.append(f"altered: the dead letter of {place} is not what was sent")

    def _misjudged_strays(self) -> list[str]:
        lost = self._strays.keys() - self._letters.keys()
        made_up = self._letters.keys() - self._strays.keys()
        return [
            *(f"lost: no dead letter of the stray record at {place}" for place in lost),
            *(f"a dead letter that should not be: {place}" for place in made_up),
        ]

    def _is_stranger(self, filed: Filed) -> bool:
        """Whether a command is not signed, or bears a link that was never offered for what it asks."""
        if filed.lane[0] == INTERNAL:
            return False
        asked = filed.asked
        data, command = asked.command.data, asked.command
        if "link" in data:
            wanted = (asked.account, (command.kind, command.aggregate_id), data.get("action"))
            return self._links.get(data["link"]) != wanted
        return self._signing and not asked.signed

    def _misjudged_stranger(self, key: CommandKey) -> list[str]:
        """It is turned away, names no account in the answer, and changes nothing."""
        told = self._observed.get((STRANGER, key[1]), Observed())
        wrong = []
        if key in self._observed:
            wrong.append(f"let in: {key} proves nothing of its sender")
        if told.changes or told.said != (_TURNED_AWAY,):
            wrong.append(f"wrong or missing result: {key} proves nothing of its sender, and hears {told.said}")
        return wrong

    def _replay(self, verdict: Verdict, strangers: Collection[CommandKey], tell: Tell) -> None:
        judged = 0
        files = (filed for key, filed in self._firsts.items() if key not in strangers)
        for unit in units(files, self._bonds):
            replayed = replay(unit, self._observed)
            verdict.wrong += replayed.wrong
            account = next(iter(unit.lanes.values()))[0].account
            verdict.aggregates |= {(account, one): state for one, state in replayed.aggregates.items()}
            verdict.wrong += self._unanswered(replayed.results)
            before, judged = judged, judged + len(replayed.results)
            if judged // _TELL_AFTER > before // _TELL_AFTER:
                tell(f"judged {judged} of {len(self._firsts)} commands, {len(verdict.wrong)} violations")
        for observed in self._observed.values():
            verdict.outcomes.update(said.refused or said.outcome or "" for said in observed.said)

    def _unanswered(self, results: Mapping[CommandKey, bool]) -> list[str]:
        """Each record of a command that was refused (or asked for an answer) has a result."""
        wrong = []
        for key, refused in results.items():
            filed = self._firsts[key]
            due = filed.times if refused else filed.due
            found = self._observed[key].results if key in self._observed else 0
            if found < due:
                wrong.append(f"lost: {found} results for {key}, expected at least {due}")
        return wrong
