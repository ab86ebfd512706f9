import pytest

from service.domain.actor import Actor
from service.domain.model import Reason
from tests.support.builders import act, booking, hours, location, reach, update
from tests.support.spec import given

NAMES = ["reserved", "confirmed", "attended", "no_show", "cancelled", "vip"]
CATALOGUE = [{"id": str(number), "internal_name": name, "name": name.title()} for number, name in enumerate(NAMES)]
SETTINGS = location(statuses=CATALOGUE)


@pytest.mark.parametrize("first", range(4))
@pytest.mark.parametrize("second", range(4))
def test_statuses_move_freely(first: int, second: int) -> None:
    """A status id sets any of the four states, without an action, and its own state again changes nothing."""
    one = given(SETTINGS, booking(graph="status", status_id=str(first)))
    assert one.world.aggregates["booking", "b1"].snapshot["state"] == NAMES[first]
    when = one.when(update(status_id=str(second)))
    if first == second:
        when.then_nothing_happened()
    else:
        when.then(
            action=None,
            from_state=NAMES[first],
            state=NAMES[second],
            changes={"status_id": (str(first), str(second)), "state": (NAMES[first], NAMES[second])},
        )


def test_a_cleared_status_leaves_the_state() -> None:
    """Null takes the status id away, and nothing else."""
    one = given(SETTINGS, booking(graph="status", status_id="2"))
    one.when(update(status_id=None)).then(state="attended", changes={"status_id": ("2", None)})


@pytest.mark.parametrize("graph", ["status", "venue", "instant"])
def test_a_status_never_cancels(graph: str) -> None:
    """A status named cancelled is refused on every graph, for everybody, at creation too."""
    one = given(SETTINGS, booking(graph=graph))
    for actor in Actor:
        one.when(update(status_id="4"), actor=actor).then_refused(Reason.USE_CANCEL_ACTION)
    one.when(booking("b2", graph, status_id="4")).then_refused(Reason.USE_CANCEL_ACTION)


@pytest.mark.parametrize("graph", ["status", "venue"])
def test_a_status_is_one_of_the_catalogue(graph: str) -> None:
    """An id that the location does not know is refused where it stands."""
    one = given(SETTINGS, booking(graph=graph))
    one.when(update(status_id="9")).then_refused(Reason.INVALID_FIELD, "/patch/status_id")
    one.when(booking("b2", graph, status_id="9")).then_refused(Reason.INVALID_FIELD, "/booking/status_id")
    bare = given(location(), booking(graph=graph))
    bare.when(update(status_id="1")).then_refused(Reason.INVALID_FIELD, "/patch/status_id")


def test_a_status_that_is_no_state_is_refused_where_states_are_meant() -> None:
    """The graph `status` has the states it has; elsewhere a status is but a label."""
    given(SETTINGS, booking(graph="status")).when(update(status_id="5")).then_refused(
        Reason.INVALID_FIELD, "/patch/status_id"
    )
    given(SETTINGS, booking(graph="venue")).when(update(status_id="5")).then(
        state="registered", changes={"status_id": (None, "5")}
    )
    given(SETTINGS, booking(graph="venue")).when(update(status_id="1")).then(
        state="registered", changes={"status_id": (None, "1")}
    )


@pytest.mark.parametrize("status_id", ["1", "4", "9"])
def test_no_status_is_set_after_cancelling(status_id: str) -> None:
    """Any status after cancelled is out of reach; all else can still be edited, since the state is open."""
    one = given(SETTINGS, booking(graph="status", status_id="1"), act("cancel"))
    for actor in Actor:
        one.when(update(status_id=status_id), actor=actor).then_refused(Reason.ACTION_NOT_AVAILABLE)
    one.when(update(notes="x")).then(state="cancelled", notes="x")
    one.when(update(status_id=None)).then(state="cancelled", status_id=None)


@pytest.mark.parametrize("state", NAMES[:4])
def test_any_status_can_be_cancelled(state: str) -> None:
    """Cancel leads from each of the four to cancelled, by action and by state, and from there nowhere."""
    one = given(SETTINGS, booking(graph="status", status_id=str(NAMES.index(state))))
    gone = one.when(act("cancel", message="ill")).then(from_state=state, state="cancelled", inputs={"message": "ill"})
    one.when(reach("CANCELLED")).then(state="cancelled", action="cancel")
    gone.when(act("cancel")).then_refused(Reason.ACTION_NOT_AVAILABLE)
    gone.when(reach("cancelled")).then_nothing_happened()


def test_a_state_of_the_status_graph_is_not_asked_for_by_name() -> None:
    """No action leads to the four states; their own is there already."""
    one = given(SETTINGS, booking(graph="status"))
    one.when(reach("confirmed")).then_refused(Reason.ACTION_NOT_AVAILABLE)
    one.when(reach("Reserved")).then_nothing_happened()
    one.when(reach("vip")).then_refused(Reason.UNKNOWN_ACTION)


def test_a_status_comes_from_where_the_booking_goes() -> None:
    """The catalogue is that of the location in the patch."""
    bergen = location("bergen", statuses=[{"id": "b", "internal_name": "attended", "name": "B"}])
    one = given(SETTINGS, bergen, booking(graph="status", status_id="1"))
    one.when(update(status_id="b")).then_refused(Reason.INVALID_FIELD, "/patch/status_id")
    one.when(update(status_id="b", location_id="bergen")).then(state="attended", location_id="bergen")
    one.when(update(location_id="bergen")).then(state="confirmed", status_id="1")


def test_a_wrong_value_is_told_before_a_cancelling_status() -> None:
    """A body that is wrong is a 400, whatever else it asks for."""
    one = given(SETTINGS, booking(graph="status"))
    one.when(update(status_id="4", ends_at=hours(0))).then_refused(Reason.INVALID_FIELD, "/patch/ends_at")
