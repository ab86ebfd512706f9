"""`bookstream show`: an aggregate as it stands."""

import asyncio
import json
import os
from collections.abc import Iterator, Mapping
from typing import Any, Final

import click

from service.cli.database import connected
from service.cli.render import printable
from service.domain.actor import Actor
from service.domain.graph import Graph
from service.domain.instants import instant_text
from service.graphs.loader import load_graphs
from service.settings import Settings, load_settings
from service.store.standing import Slot, Standing, Timer, find_standing

KINDS: Final = ("booking", "visit", "location")
WIDTH: Final = 14
MOST_MEMBERS: Final = 10


@click.command()
@click.argument("aggregate_id", metavar="ID")
@click.option("--account", help="Only of this account.  [default: every account that has the id]")
@click.option("--kind", type=click.Choice(KINDS), help="Only a booking, a visit or a location.")
@click.option("--json", "as_json", is_flag=True, help="A JSON list, for other programs.")
def show(aggregate_id: str, account: str | None, kind: str | None, as_json: bool) -> None:
    """Show the booking, visit or location ID as it stands in the database.

    Version, state and who may take which action from there, timers that wait, slots that it holds, groups, and every
    member of its snapshot. What a location's policy forbids is not taken off the actions. Exit code 1 when there is
    none of that id.

    \b
    Examples:
      bookstream show b-1001
      bookstream show v-1 --account acc-1 --json | jq '.[0].snapshot'
    """  # noqa: D301 (click reads the escape)
    settings = load_settings()
    graphs = load_graphs(settings.graphs_dir)
    found = asyncio.run(_find(settings, aggregate_id, account, KINDS if kind is None else (kind,)))
    if not found:
        what = kind or "booking, visit or location"
        where = "no account has" if account is None else f"account {account} has no"
        told = f"{where}{' a' if account is None else ''} {what} {aggregate_id}"
        raise click.ClickException(
            f"{printable(told)}; ids are case-sensitive, and `bookstream tail` shows those in use"
        )
    if as_json:
        click.echo(json.dumps([as_members(each, graphs) for each in found]))
    else:
        _print("\n\n".join("\n".join(lines(each, graphs)) for each in found))


async def _find(settings: Settings, aggregate_id: str, account: str | None, kinds: tuple[str, ...]) -> list[Standing]:
    async with connected(settings, "show") as connection:
        return await find_standing(connection, aggregate_id, account_id=account, kinds=kinds)


def as_members(found: Standing, graphs: Mapping[str, Graph]) -> dict[str, Any]:
    """Everything as JSON values; `graph` and `available_actions` are null for a location or an unknown graph."""
    graph, state = _place(found, graphs)
    return {
        "account_id": found.account_id,
        "kind": found.kind,
        "id": found.id,
        "version": found.version,
        "snapshot": found.snapshot,
        "graph": None if graph is None else _state_members(graph, state),
        "available_actions": None if graph is None else {actor: graph.available(state, actor) for actor in Actor},
        "timers": [_timer_members(timer) for timer in found.timers],
        "slots": [_slot_members(slot) for slot in found.slots],
        "groups": [
            {"group": group.name, "owner": group.owner, "size": group.size, "members": group.members}
            for group in found.groups
        ],
    }


def _state_members(graph: Graph, name: str) -> dict[str, Any]:
    state = graph.states[name]
    known = {"level": state.level, "access": state.access, "final": state.final}
    return {"name": graph.name, "state": name, **known}


def _timer_members(timer: Timer) -> dict[str, Any]:
    sent_at = None if timer.sent_at is None else instant_text(timer.sent_at)
    return {"action": timer.action, "due_at": instant_text(timer.due_at), "sent_at": sent_at}


def _slot_members(slot: Slot) -> dict[str, Any]:
    times = {"starts_at": instant_text(slot.start), "ends_at": instant_text(slot.end)}
    return {"resource_id": slot.resource_id, **times, "exclusive": slot.exclusive}


def lines(found: Standing, graphs: Mapping[str, Graph]) -> Iterator[str]:
    """The same for people."""
    yield click.style(printable(f"{found.kind} {found.account_id}/{found.id}"), bold=True) + f"  v{found.version}"
    yield from _of_graph(found, graphs)
    for timer in found.timers:
        sent = "" if timer.sent_at is None else f", sent {instant_text(timer.sent_at)} and not decided yet"
        yield _line("timer", f"{timer.action} at {instant_text(timer.due_at)}{sent}")
    for slot in found.slots:
        kind = "exclusive" if slot.exclusive else "shared"
        yield _line("slot", f"{slot.resource_id} from {instant_text(slot.start)} to {instant_text(slot.end)}, {kind}")
    for group in found.groups:
        more = group.size - MOST_MEMBERS
        members = ", ".join(group.members[:MOST_MEMBERS]) + (f" and {more} more" if more > 0 else "")
        yield _line("owner of" if group.owner else "member of", f"{group.name} with {group.size}: {members}")
    unset = []
    for name, value in found.snapshot.items():
        if value is None:
            unset.append(name)
        elif name not in ("state", "graph"):
            yield _line(name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
    if unset:
        yield _line("not set", ", ".join(unset))


def _of_graph(found: Standing, graphs: Mapping[str, Graph]) -> Iterator[str]:
    if found.kind == "location":
        return
    graph, state = _place(found, graphs)
    if graph is None:
        yield _line(
            "state", f"{state} of graph {found.snapshot.get('graph')}, not known here; see BOOKSTREAM_GRAPHS_DIR"
        )
        return
    known = graph.states[state]
    facts = [f"level {known.level}"] if known.level is not None else []
    facts += [known.access.value] + (["final"] if known.final else [])
    yield _line("state", f"{state} ({', '.join(facts)}) of graph {graph.name}")
    for actor in Actor:
        yield _line("" if actor is not Actor.EXTERNAL else "actions", _offer(graph, state, actor))


def _offer(graph: Graph, state: str, actor: Actor) -> str:
    return f"{actor}: {', '.join(graph.available(state, actor)) or 'none'}"


def _place(found: Standing, graphs: Mapping[str, Graph]) -> tuple[Graph | None, str]:
    """The graph, where it and the state in it are known here, and the state."""
    state = str(found.snapshot.get("state"))
    graph = graphs.get(str(found.snapshot.get("graph")))
    return (graph if graph is not None and state in graph.states else None), state


def _line(name: str, text: str) -> str:
    return f"  {name:<{WIDTH}} {printable(text)}"


def _print(text: str) -> None:
    click.echo(text, color=False if os.environ.get("NO_COLOR") else None)
