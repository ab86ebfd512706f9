"""A small model of the contract: what each command of the workload must come to, knowing nothing of the service."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["booking", "visit"]
Identity = tuple[Kind, str]

COUNT = {"booking": "guest_count", "visit": "party_size"}
TEXT = {"booking": "notes", "visit": "source"}

_ALL = frozenset({"external", "internal"})
_VENUE_LEVELS = {"registered": 0, "unconfirmed": 1, "confirmed": 2, "waiting": 3, "seated": 4, "bill_printed": 5}
_VENUE_ENDS = frozenset({"closed", "no_show", "cancelled"})
_VENUE_ACTIONS = {
    "request_confirmation": ("unconfirmed", frozenset({"external"})),
    "confirm": ("confirmed", frozenset({"external"})),
    "wait": ("waiting", frozenset({"internal"})),
    "seat": ("seated", frozenset({"internal"})),
    "print_bill": ("bill_printed", frozenset({"internal"})),
    "close": ("closed", frozenset({"internal"})),
    "mark_no_show": ("no_show", frozenset({"internal"})),
    "cancel": ("cancelled", _ALL),
}
_INSTANT = {
    "cancel": (frozenset({"confirmed"}), "cancelled"),
    "cancel_by_customer": (frozenset({"confirmed"}), "cancelled_by_customer"),
    "complete": (frozenset({"confirmed"}), "completed"),
    "reschedule_by_customer": (frozenset({"confirmed"}), "rescheduled_by_customer"),
}
_GRAPHS = {
    "instant": _INSTANT,
    "confirm_decline": _INSTANT
    | {"confirm": (frozenset({"tentative"}), "confirmed"), "decline": (frozenset({"tentative"}), "declined")},
    "group_owner": {
        "cancel": (frozenset({"tentative"}), "cancelled"),
        "complete": (frozenset({"tentative"}), "completed"),
    },
    "group_customer": {
        "cancel_by_customer": (frozenset({"confirmed"}), "cancelled_by_customer"),
        "cancel_by_owner": (frozenset({"confirmed"}), "cancelled_by_owner"),
        "complete": (frozenset({"confirmed"}), "completed"),
    },
    "group_customer_payment": {
        "pay": (frozenset({"tentative"}), "paid"),
        "timeout": (frozenset({"tentative"}), "unpaid"),
        "cancel_by_customer": (frozenset({"paid"}), "cancelled_by_customer"),
        "cancel_by_owner": (frozenset({"tentative", "paid"}), "cancelled_by_owner"),
        "complete": (frozenset({"paid"}), "completed"),
    },
    "waitlist": {
        "wait": (frozenset({"booked", "serving"}), "waiting"),
        "serve": (frozenset({"booked", "waiting"}), "serving"),
        "complete": (frozenset({"booked", "waiting", "serving"}), "complete"),
        "restore": (frozenset({"complete"}), "waiting"),
    },
}
INITIAL = {
    "venue": "registered",
    "instant": "confirmed",
    "confirm_decline": "tentative",
    "group_owner": "tentative",
    "group_customer": "confirmed",
    "group_customer_payment": "tentative",
    "waitlist": "waiting",
}
ACTIONS = {"venue": tuple(_VENUE_ACTIONS), **{graph: tuple(actions) for graph, actions in _GRAPHS.items()}}


@dataclass(frozen=True, slots=True)
class Command:
    """A record to send; `internal` says on which channel."""

    id: str
    type: str
    kind: Kind
    aggregate_id: str
    data: Mapping[str, Any]
    internal: bool = False
    reply: bool = False


@dataclass(frozen=True, slots=True)
class Applied:
    """One change: the version that it makes, and members of the snapshot after it."""

    identity: Identity
    version: int
    snapshot: Mapping[str, Any]
    graph: str = ""


@dataclass(frozen=True, slots=True)
class Unchanged:
    """Accepted, and it was so already."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Refused with this detail."""

    detail: str


Outcome = Applied | Unchanged | Refused


@dataclass(slots=True)
class Expected:
    """What must be seen after all commands: the outcome of each, and how many results it must have at least."""

    account: str
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    results: dict[str, int] = field(default_factory=dict)
    last: dict[Identity, Applied] = field(default_factory=dict)
    records: int = 0


class Model:
    """Applies commands one after the other, a repeat of an id having no effect."""

    def __init__(self, account: str) -> None:
        self.expected = Expected(account)
        self._asked: set[str] = set()

    def send(self, command: Command) -> None:
        """Takes note of a record, first or repeated."""
        expected = self.expected
        expected.records += 1
        if command.id not in expected.outcomes:
            outcome = self._decide(command)
            expected.outcomes[command.id] = outcome
            if command.reply:
                self._asked.add(command.id)
        refused = isinstance(expected.outcomes[command.id], Refused)
        if refused or command.reply or command.id in self._asked:
            expected.results[command.id] = expected.results.get(command.id, 0) + 1

    def _decide(self, command: Command) -> Outcome:
        outcome = decide(command, self.expected.last.get((command.kind, command.aggregate_id)))
        if isinstance(outcome, Applied):
            self.expected.last[outcome.identity] = outcome
        return outcome


def decide(command: Command, now: Applied | None) -> Outcome:
    """What one command makes of its own aggregate, which is as its last change left it, or not there yet."""
    if command.data.get("patch", {}).get(COUNT[command.kind]) == 0:
        return Refused("invalid_field")
    if command.type.startswith("create-"):
        return Refused("already_exists") if now else _create(command)
    if now is None:
        return Refused(command.kind)
    if command.data.get("expected_version", now.version) != now.version:
        return Refused("version_conflict")
    if now.graph == "venue" and now.snapshot["state"] in _VENUE_ENDS:
        return Refused("read_only")
    if command.type == "state-action":
        return act(command, now)
    return _change(now, _patched(now.snapshot, command.data["patch"]))


def _create(command: Command) -> Applied:
    kind, given = command.kind, command.data[command.kind]
    graph = command.data.get("graph", "waitlist")
    snapshot = {
        TEXT[kind]: given.get(TEXT[kind]),
        COUNT[kind]: given.get(COUNT[kind], 1),
        "tags": [],
        "state": INITIAL[graph],
    }
    return Applied((kind, command.aggregate_id), 1, snapshot, graph)


def act(command: Command, now: Applied) -> Outcome:
    """What an action makes of an aggregate, be it the command's own or a sibling of that."""
    name, state, graph = command.data["action"], now.snapshot["state"], now.graph
    if graph == "venue":
        if state in _VENUE_ENDS:
            return Refused("read_only")
        if name not in _VENUE_ACTIONS:
            return Refused("unknown_action")
        target, actors = _VENUE_ACTIONS[name]
        if ("internal" if command.internal else "external") not in actors:
            return Refused("actor_not_allowed")
        if _VENUE_LEVELS.get(target, 6) <= _VENUE_LEVELS[state]:
            return Refused("level_not_increasing")
        return _change(now, {**now.snapshot, "state": target})
    if name not in _GRAPHS[graph]:
        return Refused("unknown_action")
    sources, target = _GRAPHS[graph][name]
    return _change(now, {**now.snapshot, "state": target}) if state in sources else Refused("action_not_available")


def _patched(snapshot: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    tags = [*snapshot["tags"], *(tag for tag in patch.get("add_tags", ()) if tag not in snapshot["tags"])]
    kept = [tag for tag in tags if tag not in patch.get("remove_tags", ())]
    plain = {name: value for name, value in patch.items() if name not in ("add_tags", "remove_tags")}
    return {**snapshot, **plain, "tags": kept}


def _change(now: Applied, snapshot: Mapping[str, Any]) -> Outcome:
    return Unchanged() if snapshot == now.snapshot else Applied(now.identity, now.version + 1, snapshot, now.graph)
