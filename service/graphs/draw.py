"""A graph for people: aligned text, Mermaid's state diagrams and Graphviz' dot."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Final

from service.domain.actor import Actor
from service.domain.graph import Access, Action, Autoplay, Graph, Input

_UNITS: Final = ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))
_MERMAID_WORDS: Final = frozenset(
    {"as", "choice", "class", "default", "direction", "end", "fork", "join", "note", "scale", "state", "style"}
)
_INDENT: Final = "    "


def table(graph: Graph) -> str:
    """States and actions as aligned text."""
    states = [
        (one.name, "" if one.level is None else str(one.level), one.access.value, "final" if one.final else "")
        for one in graph.states.values()
    ]
    actions = [
        (
            one.name,
            f"{_sources(graph, one)} -> {_target(one)}",
            _actors(graph, one),
            ", ".join(_input(needed) for needed in one.inputs),
            "" if one.autoplay is None else _timer(one.autoplay),
            _also(one),
        )
        for one in graph.actions.values()
    ]
    parts = [
        "\n".join(_head(graph)),
        _aligned([("STATE", "LEVEL", "ACCESS", "FINAL"), *states]),
        _aligned([("ACTION", "FROM -> TO", "ACTORS", "INPUTS", "BY ITSELF", "ALSO"), *actions]),
    ]
    return "\n\n".join(parts) + "\n"


def mermaid(graph: Graph) -> str:
    """A Mermaid state diagram; blocked and read-only states are styled."""
    lines = ["stateDiagram-v2"]
    lines += [
        f'{_INDENT}state "{name}" as {_word(name)}' if name in _MERMAID_WORDS else f"{_INDENT}{name}"
        for name in graph.states
    ]
    lines += [f"{_INDENT}[*] --> {_word(name)}" for name in graph.initial]
    lines += [f"{_INDENT}{_word(source)} --> {_word(target)}: {label}" for source, target, label in _edges(graph)]
    lines += [f"{_INDENT}{_word(one.name)} --> [*]" for one in graph.states.values() if one.final]
    for access, style in ((Access.BLOCKED, "fill:#fde7b0"), (Access.READ_ONLY, "fill:#dddddd")):
        names = [_word(one.name) for one in graph.states.values() if one.access is access]
        if names:
            lines.append(f"{_INDENT}classDef {access.value} {style}")
            lines.append(f"{_INDENT}class {','.join(names)} {access.value}")
    return "\n".join(lines) + "\n"


def dot(graph: Graph) -> str:
    """A Graphviz digraph; final states have a double border, blocked and read-only ones are dashed and filled."""
    lines = [f'digraph "{graph.name}" {{', f"{_INDENT}rankdir=LR;", f"{_INDENT}node [shape=box];"]
    for one in graph.states.values():
        looks = ["peripheries=2"] if one.final else []
        if one.access is not Access.OPEN:
            looks.append("style=dashed" if one.access is Access.BLOCKED else "style=filled")
        lines.append(f'{_INDENT}"{one.name}"{" [" + ", ".join(looks) + "]" if looks else ""};')
    lines.append(f'{_INDENT}"[*]" [shape=point];')
    lines += [f'{_INDENT}"[*]" -> "{name}";' for name in graph.initial]
    lines += [f'{_INDENT}"{source}" -> "{target}" [label="{label}"];' for source, target, label in _edges(graph)]
    return "\n".join([*lines, "}"]) + "\n"


def _head(graph: Graph) -> Iterator[str]:
    yield f"{graph.name}: a graph of {graph.aggregate}s" + (" whose level only increases" if graph.levels else "")
    yield f"initial: {', '.join(graph.initial)}"
    if graph.by_status:
        yield f"set by status_id: {', '.join(_ordered(graph, graph.by_status))}"
    if graph.owner_graph is not None:
        yield f"owner_booking_id points to: {graph.owner_graph}"


def _edges(graph: Graph) -> Iterator[tuple[str, str, str]]:
    """Source, target and label of every arrow, in the order of the file."""
    for action in graph.actions.values():
        timer = "" if action.autoplay is None else f" ({_timer(action.autoplay)})"
        for source in _ordered(graph, action.sources):
            if action.without is None:
                yield source, action.target, action.name + timer
            else:
                member, other = action.without
                yield source, action.target, f"{action.name} with {member}{timer}"
                yield source, other, f"{action.name} without {member}{timer}"
    free = _ordered(graph, graph.by_status)
    yield from ((source, target, "status_id") for source in free for target in free if source != target)


def _ordered(graph: Graph, names: Iterable[str]) -> list[str]:
    chosen = frozenset(names)
    return [name for name in graph.states if name in chosen]


def _sources(graph: Graph, action: Action) -> str:
    target = graph.states[action.target].level
    lower = {
        one.name
        for one in graph.states.values()
        if one.level is not None and target is not None and one.level < target and one.access is not Access.READ_ONLY
    }
    if graph.levels and action.sources == lower:
        return "every lower level"
    return ", ".join(_ordered(graph, action.sources))


def _target(action: Action) -> str:
    return (
        action.target
        if action.without is None
        else f"{action.target}, or {action.without[1]} without {action.without[0]}"
    )


def _actors(graph: Graph, action: Action) -> str:
    able = [actor for actor in Actor if graph.permits(action, actor)]
    return "all" if len(able) == len(Actor) else ", ".join(able)


def _input(needed: Input) -> str:
    required = ", required" if needed.required else ""
    return f"{needed.name} ({needed.kind} <= {needed.max_length}{required})"


def _also(action: Action) -> str:
    told = [] if action.add_tag is None else [f"adds tag {action.add_tag}"]
    if action.cascade is not None:
        told.append(f"{action.cascade} on the bookings it owns")
    return ", ".join(told)


def _timer(autoplay: Autoplay) -> str:

    return f"{_duration(autoplay.after)} after {autoplay.relative_to}"


def _duration(duration: timedelta) -> str:
    seconds = int(duration.total_seconds())
    for size, unit in _UNITS:
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return "0s"


def _word(state: str) -> str:
    # Mermaid reads some words as its own wherever they stand.
    return f"{state}_" if state in _MERMAID_WORDS else state


def _aligned(rows: Sequence[tuple[str, ...]]) -> str:
    shown = [index for index in range(len(rows[0])) if any(row[index] for row in rows[1:])]
    widths = {index: max(len(row[index]) for row in rows) for index in shown}
    return "\n".join("  ".join(row[index].ljust(widths[index]) for index in shown).rstrip() for row in rows)
