"""Well-formed commands of every kind, few enough ids that they meet; a new member of the contract joins here."""

from typing import Any, Final

from hypothesis import strategies as st

from service.domain.actor import Actor
from service.domain.commands import (
    Command,
    ConfigureLocation,
    CreateBooking,
    CreateVisit,
    StateAction,
    UpdateBooking,
    UpdateVisit,
)
from tests.support.builders import hours
from tests.support.world import shipped_graphs

LOCATIONS: Final = ("oslo", "bergen")
BOOKINGS: Final = ("b0", "b1", "b2", "b3")
VISITS: Final = ("v0", "v1", "v2")
TAGS: Final = tuple(f"t{number}" for number in range(14))
STATUSES: Final = [
    {"id": str(number), "internal_name": name, "name": name}
    for number, name in enumerate(["reserved", "confirmed", "attended", "no_show", "cancelled", "vip"])
]
_WORDS: Final = sorted({name for graph in shipped_graphs().values() for name in (*graph.actions, *graph.states)})

actors = st.sampled_from(list(Actor))
texts = st.sampled_from(["", "a", "b", "Ærlig\n\ttalt"])
ids = st.sampled_from(["x-1", "x-2"])
instants = st.integers(-3, 12).map(hours)
_clock_times: Final = ("01-01T12:00", "01-01T12:15", "01-01T12:07", "03-31T02:30", "10-27T02:30")
dates = st.sampled_from(["0001-01-01T00:00", "9999-12-31T23:59", *(f"2030-{time}" for time in _clock_times)])
tag_lists = st.lists(st.sampled_from(TAGS), max_size=10)
money = st.sampled_from(["0", "1", "1.0", "250", "500.0001"])
resources = st.sampled_from(["t-1", "t-2"])


def keyed(values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """An open map of texts."""
    return st.dictionaries(st.sampled_from([f"k{number}" for number in range(22)]), values, max_size=20)


def some(members: dict[str, st.SearchStrategy[Any]], *, nulls: bool) -> st.SearchStrategy[dict[str, Any]]:
    """An object with some of these members, null among their values where that is allowed."""
    return st.fixed_dictionaries({}, optional={k: v | st.none() if nulls else v for k, v in members.items()})


def guests(*, nulls: bool) -> st.SearchStrategy[dict[str, Any]]:
    """A guest, or a change of one."""
    return some({"first_name": texts, "last_name": texts, "phone": texts}, nulls=nulls)


def _booking(*, patch: bool) -> st.SearchStrategy[dict[str, Any]]:
    nullable = {
        **dict.fromkeys(("service_id", "provider_id", "customer_id"), ids),
        "resource_id": resources,
        "status_id": st.sampled_from(["0", "1", "2", "3", "4", "5", "9"]),
        "price": money,
        "notes": texts,
        "guest": guests(nulls=patch),
        "no_show_fee": some({"amount_pre_authorized": money, "amount_to_capture": money}, nulls=patch),
        "time_slot_id": texts,
    }
    plain = {
        "guest_count": st.integers(1, 3),
        "ext_properties": keyed(texts | st.none() if patch else texts),
        "tags": tag_lists,
        "types": st.lists(texts, max_size=3),
    }
    times = {"starts_at": instants, "ends_at": instants}
    if patch:
        deltas = {
            "location_id": st.sampled_from((*LOCATIONS, "nowhere")),
            "add_tags": tag_lists,
            "remove_tags": tag_lists,
        }
        return _both(some(nullable, nulls=True), some(plain | times | deltas, nulls=False))
    return _both(st.fixed_dictionaries(times), some(nullable, nulls=True), some(plain, nulls=False))


def _visit(*, patch: bool) -> st.SearchStrategy[dict[str, Any]]:
    channel = some({"channel": texts, "state": texts}, nulls=patch)
    nullable: dict[str, st.SearchStrategy[Any]] = {
        **dict.fromkeys(("external_id", "external_customer_id", "public_id"), ids),
        "name": texts,
        "phone": st.sampled_from(["+4790090090", "+4790090091"]),
        "email": st.sampled_from(["a@b.example", "A@b.example"]),
        "notes": texts,
        "services": st.dictionaries(ids, st.integers() | st.none()),
        "resources": st.dictionaries(resources, st.booleans()),
        "fields": st.dictionaries(ids, texts | st.lists(texts, max_size=2)),
        "service_ids": st.lists(ids, max_size=3),
        "resource_ids": st.lists(resources, max_size=3),
        "data_fields": st.lists(st.fixed_dictionaries({"id": ids, "values": st.lists(texts)}), max_size=2),
        "date": dates,
        "duration": st.sampled_from([0, 60, 3600, 86_400]),
        "message_info": some({"last_outgoing": channel | st.none() if patch else channel}, nulls=False),
        "metadata": keyed(texts | st.none() if patch else texts),
        "order_value": st.fixed_dictionaries({"amount": money, "currency": st.sampled_from(["NOK", "EUR"])}),
        "starts_at": instants,
        "ends_at": instants,
    }
    plain = {
        "customer_id": st.sampled_from(["c-1", "c-2"]),
        "party_size": st.integers(1, 3),
        "state": st.sampled_from(_WORDS),
        "tags": tag_lists,
        "is_block": st.booleans(),
    }
    deltas = {"add_tags": tag_lists, "remove_tags": tag_lists} if patch else {}
    return _both(some(nullable, nulls=True), some(plain | deltas, nulls=False))


def _both(*parts: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.tuples(*parts).map(lambda found: {name: value for part in found for name, value in part.items()})


booking_patches = _booking(patch=True)
visit_patches = _visit(patch=True)
booking_options = some({"allow_overbooking": st.booleans(), "silent": st.booleans()}, nulls=False)
visit_options = some(
    {
        "allow_overbooking": st.booleans(),
        "public_mode": st.booleans(),
        "slot_granularity": st.sampled_from(["default", "fine"]),
    },
    nulls=False,
)
policies = some(
    {
        "can_edit": st.booleans(),
        "can_cancel": st.booleans(),
        "before_edit_minutes": st.sampled_from([0, 60, 2**63 - 1]),
        "max_changes": st.integers(0, 2),
    },
    nulls=True,
)
settings = some(
    {
        "timezone": st.sampled_from(["UTC", "Europe/Oslo", "Pacific/Kiritimati"]),
        "default_graph": st.sampled_from([*shipped_graphs(), "nope"]),
        "customer_policy": policies,
        "booking_allow_overbooking": st.booleans(),
        "max_customer_visits": st.integers(0, 2),
        "booking_approval": st.booleans(),
        "booking_hold": st.booleans(),
        "slot_minutes": st.sampled_from([1, 7, 15, 1440]),
        "statuses": st.just(STATUSES) | st.just(STATUSES[1:3]),
    },
    nulls=True,
)
inputs = some({"payment_id": st.sampled_from(["p", "", 7, None]), "message": texts, "colour": texts}, nulls=False)
_places = st.sampled_from((*LOCATIONS, *LOCATIONS, "nowhere"))
_words = st.sampled_from(_WORDS)
_wishes = st.tuples(_words, st.none()) | st.tuples(st.none(), _words | _words.map(str.upper))
_targets = st.sampled_from([("booking", one) for one in BOOKINGS] + [("visit", one) for one in VISITS])

creations: st.SearchStrategy[Command] = st.builds(
    CreateBooking,
    st.sampled_from(BOOKINGS),
    _places,
    _booking(patch=False),
    st.none() | st.sampled_from([*shipped_graphs(), "nope"]),
    st.none() | st.just("g"),
    st.none() | st.sampled_from(BOOKINGS),
    booking_options,
) | st.builds(
    CreateVisit,
    st.sampled_from(VISITS),
    _places,
    _visit(patch=False),
    st.none() | st.just("c-1"),
    visit_options,
)
updates: st.SearchStrategy[Command] = st.builds(
    UpdateBooking, st.sampled_from(BOOKINGS), booking_patches, booking_options
) | st.builds(UpdateVisit, st.sampled_from(VISITS), visit_patches, visit_options)
actions: st.SearchStrategy[Command] = st.builds(
    lambda target, wish, given, bulk, refusal: StateAction(
        target[0], target[1], wish[0], wish[1], given, bulk, refusal
    ),
    _targets,
    _wishes,
    inputs,
    st.booleans(),
    st.sampled_from(["skip", "abort"]),
)
configurations: st.SearchStrategy[Command] = st.builds(ConfigureLocation, st.sampled_from(LOCATIONS), settings)
commands = creations | updates | actions | configurations
