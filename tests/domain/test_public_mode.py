import pytest

from service.domain.commands import CreateVisit
from service.domain.model import Reason
from tests.support.builders import act, location, patch_visit, reach, visit
from tests.support.spec import Given, given

PUBLIC = {"public_mode": True}


def limited(limit: int | None, *visits: CreateVisit) -> Given:
    """A location with a limit of visits, and these visits."""
    return given(location(max_customer_visits=limit), location("bergen", max_customer_visits=limit), *visits)


@pytest.mark.parametrize(
    ("limit", "there", "fine"),
    [(None, 9, True), (0, 0, False), (1, 0, True), (1, 1, False), (3, 2, True), (3, 3, False)],
)
def test_a_customer_has_so_many_active_visits(limit: int | None, there: int, fine: bool) -> None:  # noqa: FBT001
    """The last visit that is allowed is allowed; without public mode any number is."""
    world = limited(limit, *(visit(f"v{number}") for number in range(there)))
    when = world.when(visit("v-new", options=PUBLIC))
    if fine:
        when.then(version=1)
    else:
        when.then_refused(Reason.MAX_CUSTOMER_VISITS)
    world.when(visit("v-new")).then(version=1)
    world.when(visit("v-new", options={"public_mode": False})).then(version=1)


def test_visits_that_are_over_do_not_count() -> None:
    """Only active visits of this customer at this location are counted."""
    one = limited(1, visit("v1"))
    one.when(act("cancel", "v1")).when(visit("v2", options=PUBLIC)).then(version=1)
    one.when(visit("v2", at="bergen", options=PUBLIC)).then(version=1)
    one.when(visit("v2", customer="c-2", options=PUBLIC)).then(version=1)
    one.when(visit("v2", customer=None, name="Jo", options=PUBLIC)).then(customer_id=None)
    one.when(visit("v2", state="complete", options=PUBLIC)).then(state="complete")


def test_a_derived_customer_counts_like_a_named_one() -> None:
    """The same phone is the same customer."""
    one = limited(1, visit("v1", customer=None, phone="+4790090090"))
    one.when(visit("v2", customer=None, phone="+4790090090", name="Jo", options=PUBLIC)).then_refused(
        Reason.MAX_CUSTOMER_VISITS
    )
    one.when(visit("v2", customer=None, phone="+4790090091", options=PUBLIC)).then(version=1)


def test_a_patch_of_an_active_visit_makes_no_new_one() -> None:
    """A visit that counts already may be changed, also where the limit has been lowered below what is there."""
    one = limited(2, visit("v1"), visit("v2")).when(location(max_customer_visits=1))
    one.when(patch_visit("v1", options=PUBLIC, party_size=2)).then(version=2)
    one.when(patch_visit("v1", options=PUBLIC, state="serving")).then(state="serving")
    one.when(patch_visit("v1", options=PUBLIC)).then_nothing_happened()


def test_a_patch_that_makes_a_visit_count_is_limited() -> None:
    """Another customer, or coming back to life, is a visit more."""
    other = limited(1, visit("v1"), visit("v2", customer=None, name="Jo"))
    other.when(patch_visit("v2", options=PUBLIC, customer_id="c-1")).then_refused(Reason.MAX_CUSTOMER_VISITS)
    other.when(patch_visit("v2", customer_id="c-1")).then(customer_id="c-1")
    other.when(patch_visit("v2", options=PUBLIC, customer_id="c-2")).then(customer_id="c-2")
    gone = limited(1, visit("v1")).when(act("cancel", "v1")).when(visit("v2"))
    gone.when(patch_visit("v1", options=PUBLIC, state="waiting")).then_refused(Reason.MAX_CUSTOMER_VISITS)
    gone.when(patch_visit("v1", state="waiting")).then(state="waiting")
    gone.when(patch_visit("v1", options=PUBLIC, party_size=2)).then(state="complete")
    gone.when(reach("waiting", "v1")).then(action="restore")
