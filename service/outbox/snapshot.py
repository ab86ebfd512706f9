"""An aggregate as it stands: `booking-snapshot` or `visit-snapshot`, for consumers that start late."""

from collections.abc import Mapping
from typing import Final, NamedTuple

import orjson

from schemas import headers as names
from service.compact_json import compact_json
from service.domain.actor import Actor
from service.domain.graph import Graph
from service.outbox.event import TOPICS, sequence
from service.outbox.row import Row, constant_headers, encode_headers, uuid5

TYPES: Final = {"booking": names.BOOKING_SNAPSHOT, "visit": names.VISIT_SNAPSHOT}
CONSTANT: Final = {
    kind: constant_headers(
        [
            (names.CE_SPECVERSION, names.SPECVERSION),
            (names.CE_SOURCE, names.SERVICE_SOURCE),
            (names.CE_TYPE, name),
            (names.CE_DATASCHEMA, names.dataschema(name)),
            (names.CONTENT_TYPE, names.JSON),
        ]
    )
    for kind, name in TYPES.items()
}


class Standing(NamedTuple):
    """A booking or visit at its latest version; `state` is its snapshot as JSON."""

    account_id: str
    kind: str
    id: str
    version: int
    state: bytes


def snapshot_row(standing: Standing, graphs: Mapping[str, Graph], epoch: int, resync_id: str) -> Row:
    """Encodes a snapshot with key, sequence and time of the latest change; the resync is what caused it.

    Its id is derived from aggregate, version and resync, so that a repeat of the same page can be recognised.
    Raises KeyError when its graph, or the state in it, is not known.
    """
    account_id, kind, aggregate_id, version, state = standing
    members = orjson.loads(state)
    graph = graphs[members["graph"]]
    value = compact_json(
        {
            "account_id": account_id,
            f"{kind}_id": aggregate_id,
            "version": version,
            kind: orjson.Fragment(state),
            "completed": graph.states[members["state"]].final,
            "available_actions": graph.available(members["state"], Actor.EXTERNAL),
        }
    )
    name = f"snapshot/{account_id}/{kind}/{aggregate_id}/{version}/{resync_id}"
    pairs = [
        (names.CE_ID, uuid5(name.encode())),
        (names.CE_SUBJECT, aggregate_id),
        (names.CE_TIME, members["updated_at"]),
        (names.CE_SEQUENCE, sequence(epoch, version)),
        (names.CE_CAUSATIONID, resync_id),
        (names.CE_CORRELATIONID, resync_id),
    ]
    return Row(TOPICS[kind], aggregate_id.encode(), encode_headers(CONSTANT[kind], pairs), value)
