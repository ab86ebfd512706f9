"""What makes a graph one that can run: every mistake is told, with its file, state and action."""

from collections.abc import Iterable, Mapping, Sequence

from service.domain.actor import Actor
from service.domain.graph import Access, Graph
from service.errors import SettingsError
from service.graphs.draft import ActionDraft, GraphDraft, StateDraft


class GraphError(SettingsError):
    """Graph files that can't be used; its text has one mistake on each line."""

    def __init__(self, mistakes: Sequence[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = tuple(mistakes)


def check_draft(draft: GraphDraft) -> None:
    """Add every mistake within one graph to those of its table."""
    _check_names(draft)
    for state in draft.states.values():
        _check_level(draft, state)
    for action in draft.actions.values():
        _check_ends(draft, action)
        _check_move(draft, action)
        _check_autoplay(action)
    _check_leaving(draft)
    if not draft.levels or all(state.level is not None for state in draft.states.values()):
        _check_reachable(draft)


def check_links(graphs: Mapping[str, Graph], names: Iterable[str], files: Mapping[str, str]) -> list[str]:
    """Mistakes between graphs: owners that don't exist, cascades that nobody answers.

    `names` are the graphs that exist, those with mistakes of their own included; `files` maps each to its file.
    """
    known, mistakes = sorted(names), []
    for graph in graphs.values():
        owner, file = graph.owner_graph, files[graph.name]
        if owner is not None and owner not in known:
            mistakes.append(f"{file}: owner_graph names unknown graph {owner!r} (known: {', '.join(known)})")
        elif owner is not None and owner in graphs and graphs[owner].aggregate != "booking":
            mistakes.append(f"{file}: owner_graph {owner!r} is no graph of bookings")
        followers = [one for one in graphs.values() if one.owner_graph == graph.name]
        mistakes.extend(
            f"{file}: action {action.name!r}: cascade {action.cascade!r} is an action of no graph "
            f'that says owner_graph = "{graph.name}"'
            for action in graph.actions.values()
            if action.cascade is not None and not any(action.cascade in one.actions for one in followers)
        )
    return mistakes


def is_final(draft: GraphDraft, state: StateDraft) -> bool:
    """Whether nothing is to come after a state: as stated, else by what leaves it."""
    return state.final if state.final is not None else not _leaving(draft, state.name)


def _check_names(draft: GraphDraft) -> None:
    for key, names in (("initial", draft.initial), ("by_status", draft.by_status)):
        for name in names:
            if name not in draft.states:
                draft.table.wrong(f"{key} names unknown state {name!r} (known: {', '.join(draft.states)})")
    if draft.aggregate != "booking":
        for key in ("by_status", "owner_graph"):
            if draft.table.has(key):
                draft.table.wrong(f"{key} is for graphs of bookings alone")
    if draft.levels and draft.by_status:
        draft.table.wrong("by_status has no place in a level graph: a status may lower the level")


def _check_level(draft: GraphDraft, state: StateDraft) -> None:
    if draft.levels and not state.table.has("level"):
        state.table.wrong("level is missing: in a level graph every state has one")
    if not draft.levels and state.table.has("level"):
        state.table.wrong("level is given, but the graph doesn't say levels = true")


def _check_ends(draft: GraphDraft, action: ActionDraft) -> None:
    known = ", ".join(draft.states)
    for source in action.sources or ():
        if source not in draft.states:
            action.table.wrong(f"from names unknown state {source!r} (known: {known})")
    for target in action.targets:
        if target not in draft.states:
            action.table.wrong(f"to names unknown state {target!r} (known: {known})")
    if action.sources is None and not draft.levels and not action.table.has("from"):
        action.table.wrong("from is missing: outside level graphs an action lists the states it starts in")


def _check_move(draft: GraphDraft, action: ActionDraft) -> None:
    if draft.levels and action.without is not None:
        action.table.wrong("without has no place in a level graph")
    for source in draft.sources(action):
        start = draft.states.get(source)
        if source in action.targets:
            action.table.wrong(f"leads from state {source!r} to itself")
        elif start is not None and start.access is Access.READ_ONLY:
            action.table.wrong(f"starts in state {source!r}, which is read_only: nobody could take it")
        elif start is not None and draft.levels and not _rises(draft, start, action):
            action.table.wrong(f"leads from state {source!r} to {action.target!r}, which has no higher level")
    target = draft.states.get(action.target or "")
    implied = draft.levels and action.sources is None and target is not None and target.level is not None
    if implied and not draft.sources(action):
        action.table.wrong(f"leads to state {action.target!r}, but no state that can be left has a lower level")


def _rises(draft: GraphDraft, start: StateDraft, action: ActionDraft) -> bool:
    target = draft.states.get(action.target or "")
    if target is None or target.level is None or start.level is None:
        return True  # told elsewhere
    return start.level < target.level


def _check_autoplay(action: ActionDraft) -> None:
    if action.autoplay is None:
        return
    if Actor.SYSTEM not in action.actors:
        action.table.wrong("plays by itself, but system is not among its actors")
    for one in action.inputs:
        if one.required:
            action.table.wrong(f"plays by itself, but requires the input {one.name!r}")


def _check_leaving(draft: GraphDraft) -> None:
    for state in draft.states.values():
        if state.final is False and not _leaving(draft, state.name):
            state.table.wrong("says final = false, but no action leaves it")


def _check_reachable(draft: GraphDraft) -> None:
    if not draft.initial:
        return
    reached: set[str] = set()
    waiting = list(draft.initial)
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting.extend(_leaving(draft, name))
    for state in draft.states.values():
        if state.name not in reached:
            state.table.wrong(f"can't be reached from {', '.join(draft.initial)}")


def _leaving(draft: GraphDraft, state: str) -> set[str]:
    by_action = {
        target for action in draft.actions.values() if state in draft.sources(action) for target in action.targets
    }
    by_status = set(draft.by_status) if state in draft.by_status else set()
    return (by_action | by_status) - {state}
