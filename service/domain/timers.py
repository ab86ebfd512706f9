"""Which actions play by themselves, and when: derived from the graph at each change."""

from collections.abc import Collection
from datetime import UTC, datetime

from service.domain.graph import Action, Graph
from service.domain.instants import instant
from service.domain.model import KEEP_TIMERS, Members, Timer, Timers

LATEST = datetime.max.replace(tzinfo=UTC)


def on_entry(graph: Graph, left: str | None, members: Members, now: datetime) -> Timers:
    """Starts the timers of the state that was just entered and forgets those of the one that was left (None: new)."""
    left_behind = left is not None and bool(graph.timers(left))
    return Timers(clear=left_behind, start=_started(graph, members, now, None))


def on_update(graph: Graph, old: Members, new: Members, now: datetime) -> Timers:
    """Sets the timers anew that are relative to a member which changed; the others run on."""
    actions = graph.timers(new["state"])
    if not actions:
        return KEEP_TIMERS
    bases = {action.autoplay.relative_to for action in actions if action.autoplay}
    changed = {base for base in bases if old.get(base) != new.get(base)}
    return Timers(clear=False, start=_started(graph, new, now, changed)) if changed else KEEP_TIMERS


def _started(graph: Graph, members: Members, now: datetime, changed: Collection[str] | None) -> tuple[Timer, ...]:
    return tuple(
        Timer(action.name, due)
        for action in graph.timers(members["state"])
        if action.autoplay
        and (changed is None or action.autoplay.relative_to in changed)
        and (due := _due(action, members, now)) is not None
    )


def _due(action: Action, members: Members, now: datetime) -> datetime | None:
    if action.autoplay is None:
        return None
    relative_to = action.autoplay.relative_to
    text = None if relative_to == "entry" else members.get(relative_to)
    if relative_to != "entry" and text is None:
        return None
    base = now if text is None else instant(text)
    return base + action.autoplay.after if LATEST - base > action.autoplay.after else LATEST
