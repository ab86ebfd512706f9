"""A graph as JSON values, for other programs."""

from typing import Any

from service.domain.actor import Actor
from service.domain.graph import Action, Graph


def members(graph: Graph) -> dict[str, Any]:
    """Everything that the graph says, with what each state offers to each actor."""
    return {
        "name": graph.name,
        "aggregate": graph.aggregate,
        "initial": graph.initial,
        "levels": graph.levels,
        "by_status": sorted(graph.by_status),
        "owner_graph": graph.owner_graph,
        "states": {
            state.name: {
                "level": state.level,
                "access": state.access,
                "final": state.final,
                "available_actions": {actor: graph.available(state.name, actor) for actor in Actor},
            }
            for state in graph.states.values()
        },
        "actions": {action.name: _action(graph, action) for action in graph.actions.values()},
    }


def _action(graph: Graph, action: Action) -> dict[str, Any]:
    autoplay, without = action.autoplay, action.without
    return {
        "from": [name for name in graph.states if name in action.sources],
        "to": action.target,
        "without": None if without is None else {"member": without[0], "to": without[1]},
        "actors": [actor for actor in Actor if graph.permits(action, actor)],
        "inputs": {
            each.name: {"kind": each.kind, "required": each.required, "max_length": each.max_length}
            for each in action.inputs
        },
        "autoplay": None
        if autoplay is None
        else {"after_seconds": int(autoplay.after.total_seconds()), "relative_to": autoplay.relative_to},
        "add_tag": action.add_tag,
        "cascade": action.cascade,
    }
