"""Step 5: loads what the decisions of a batch look at, a fixed number of statements for any number of commands."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import orjson

from service.domain import group
from service.domain.commands import Command, CreateBooking, CreateVisit, StateAction, UpdateBooking, UpdateVisit
from service.domain.decide import target
from service.domain.graph import Graph
from service.domain.model import Aggregate
from service.handle.load_groups import load_groups
from service.handle.load_visits import load_active_visits, load_external_ids
from service.handle.loaded import Group, GroupKey, Key, Loaded
from service.handle.timers import load_timers
from service.handle.unsettled import TooHeavyError
from service.received import Question
from service.store.pool import Connection

MOST_MEMBERS: Final = 4_000
LOAD: Final = """
SELECT a.account_id, a.kind, a.aggregate_id, a.version, a.state, a.memo
FROM unnest($1::text[], $2::text[], $3::text[]) AS asked (account_id, kind, aggregate_id)
JOIN aggregate a USING (account_id, kind, aggregate_id)
"""
LOAD_LOCKED: Final = LOAD + "ORDER BY a.account_id, a.kind, a.aggregate_id FOR NO KEY UPDATE OF a"


async def load(
    connection: Connection, questions: Sequence[Question], graphs: Mapping[str, Graph], *, lock: bool
) -> Loaded:
    """Loads aggregates, their locations, groups with their members, and what visits claim.

    With `lock` the rows stay locked until the end of the transaction, in the order of their keys.
    """
    loaded = Loaded()
    by_command: dict[type[Command], list[Question]] = {}
    for question in questions:
        by_command.setdefault(type(question.command), []).append(question)
    actions = by_command.get(StateAction, [])
    visits = [*by_command.get(CreateVisit, ()), *by_command.get(UpdateVisit, ())]
    # 1. the aggregates, and the locations and owners that commands name
    await _load_aggregates(connection, loaded, _named(questions), lock=lock)
    # 2. groups: rows where bookings join, members where an action is replicated
    joined, replicated = _groups([*by_command.get(CreateBooking, ()), *actions], loaded, graphs)
    if joined or replicated:
        loaded.groups = await load_groups(connection, joined, replicated, lock=lock)
        _refuse_too_heavy(loaded.groups, len(questions))
        await _load_aggregates(connection, loaded, _members(loaded.groups), lock=lock)
    # 3. the locations where they are
    await _load_aggregates(connection, loaded, _locations(loaded), lock=False)
    # 4. what visits claim, and the timers that commands of the service itself come from
    loaded.external_ids = await load_external_ids(connection, visits)
    loaded.active_visits = await load_active_visits(connection, visits, loaded)
    loaded.timers = await load_timers(connection, actions)
    return loaded


async def _load_aggregates(connection: Connection, loaded: Loaded, keys: Iterable[Key], *, lock: bool) -> None:
    wanted = sorted({key for key in keys if key not in loaded.aggregates})
    if not wanted:
        return
    loaded.aggregates.update(dict.fromkeys(wanted))
    rows = await connection.fetch(LOAD_LOCKED if lock else LOAD, *zip(*wanted, strict=True))
    for account_id, kind, aggregate_id, version, state, memo in rows:
        loaded.aggregates[account_id, kind, aggregate_id] = Aggregate(
            kind, account_id, aggregate_id, version, orjson.loads(state), None if memo is None else orjson.loads(memo)
        )


def _named(questions: Iterable[Question]) -> Iterable[Key]:
    for question in questions:
        account_id, command = question.context.account_id, question.command
        kind, aggregate_id = target(command)
        yield account_id, kind, aggregate_id
        match command:
            case UpdateBooking():
                if "location_id" in command.patch:
                    yield account_id, "location", command.patch["location_id"]
            case CreateBooking():
                yield account_id, "location", command.location_id
                if command.owner_booking_id is not None:
                    yield account_id, "booking", command.owner_booking_id
            case CreateVisit():
                yield account_id, "location", command.location_id
            case _:
                pass


def _groups(
    questions: Sequence[Question], loaded: Loaded, graphs: Mapping[str, Graph]
) -> tuple[set[GroupKey], set[GroupKey]]:
    """Finds the groups that bookings join, and those over which an action may be replicated."""
    joined: set[GroupKey] = set()
    made: dict[Key, list[CreateBooking]] = {}
    for question in questions:
        account_id, command = question.context.account_id, question.command
        if isinstance(command, CreateBooking):
            made.setdefault((account_id, "booking", command.booking_id), []).append(command)
            if command.bulk_id is not None:
                joined.add((account_id, group.bulk(command.bulk_id)))
            if command.owner_booking_id is not None:
                joined.add((account_id, group.owned(command.owner_booking_id)))
    replicated: set[GroupKey] = set()
    for question in questions:
        account_id, command = question.context.account_id, question.command
        if isinstance(command, StateAction) and command.kind == "booking":
            key: Key = (account_id, "booking", command.target_id)
            bulk_ids = [create.bulk_id for create in made.get(key, ())]
            found = loaded.aggregates[key]
            if found is not None:
                bulk_ids.append(found.snapshot["bulk_id"])
            if command.apply_to_bulked_bookings:
                replicated |= {(account_id, group.bulk(bulk_id)) for bulk_id in bulk_ids if bulk_id is not None}
            if key in made or (found is not None and _cascades(graphs[found.snapshot["graph"]])):
                replicated.add((account_id, group.owned(command.target_id)))
    return joined - replicated, replicated


def _refuse_too_heavy(groups: Mapping[GroupKey, Group], commands: int) -> None:
    """A single command may reach two groups whole; more of them together are taken one after the other."""
    reached = sum(len(found.members or ()) for found in groups.values())
    if commands > 1 and reached > MOST_MEMBERS:
        raise TooHeavyError(f"{commands} commands reach {reached} bookings of groups")


def _cascades(graph: Graph) -> bool:
    return any(action.cascade for action in graph.actions.values())


def _members(groups: Mapping[GroupKey, Group]) -> Iterable[Key]:
    for (account_id, _), found in groups.items():
        for booking_id in found.members or ():
            yield account_id, "booking", booking_id


def _locations(loaded: Loaded) -> Iterable[Key]:
    for (account_id, kind, _), found in loaded.aggregates.items():
        if found is not None and kind != "location":
            yield account_id, "location", found.snapshot["location_id"]
