from typing import Any

import pytest

from service.domain.customer import derive_customer_id
from service.domain.model import Reason
from tests.support.builders import location, patch_visit, visit
from tests.support.spec import given

CONTACT: dict[str, Any] = {"external_customer_id": "x-1", "phone": "+4790090090", "email": "john@doe.example"}


def customer_of(**members: Any) -> Any:
    """The customer that a visit with these members is of."""
    return given(location()).when(visit(customer=None, **members)).snapshot["customer_id"]


def test_a_customer_follows_from_the_first_contact_there_is() -> None:
    """An explicit id, else the external one, else phone, else e-mail, else none."""
    assert customer_of(customer_id="c-9", **CONTACT) == "c-9"
    assert customer_of(**CONTACT) == customer_of(external_customer_id="x-1", name="Other")
    assert customer_of(**CONTACT) != customer_of(phone=CONTACT["phone"])
    by_phone = customer_of(phone=CONTACT["phone"], email=CONTACT["email"])
    assert by_phone == customer_of(phone=CONTACT["phone"], email="other@doe.example", first_name="Jo")
    assert by_phone != customer_of(email=CONTACT["email"])
    assert customer_of(email=CONTACT["email"]) == customer_of(email=CONTACT["email"], last_name="Doe")
    assert customer_of(name="John Doe") is None


@pytest.mark.parametrize("member", list(CONTACT))
def test_the_same_contact_is_the_same_customer(member: str) -> None:
    """Another datum is another customer; so is the same text in another role, or in another account."""
    found = customer_of(**{member: CONTACT[member]})
    assert found == customer_of(**{member: CONTACT[member]})
    assert found != customer_of(**{member: CONTACT[member] + "1"})
    assert found != derive_customer_id("acc-2", {member: CONTACT[member]})
    assert len({derive_customer_id("acc-1", {role: "same"}) for role in CONTACT}) == 3
    assert len(found) <= 64


def test_letters_of_an_address_are_the_same_in_any_case() -> None:
    """An e-mail address is one customer however it is written, and is kept as written."""
    written = given(location()).when(visit(customer=None, email="John@Doe.example")).then(email="John@Doe.example")
    assert written.snapshot["customer_id"] == customer_of(email="john@doe.example")


def test_a_derived_customer_follows_the_contact() -> None:
    """A patch of contact data derives anew, in the same order."""
    one = given(location(), visit(customer=None, email=CONTACT["email"]))
    by_email = customer_of(email=CONTACT["email"])
    by_phone = customer_of(phone=CONTACT["phone"])
    phoned = one.when(patch_visit(phone=CONTACT["phone"])).then(
        changes={"phone": (None, CONTACT["phone"]), "customer_id": (by_email, by_phone)}
    )
    phoned.when(patch_visit(email="new@doe.example")).then(customer_id=by_phone)
    phoned.when(patch_visit(external_customer_id="x-1")).then(customer_id=customer_of(external_customer_id="x-1"))
    phoned.when(patch_visit(phone=None)).then(customer_id=by_email)
    phoned.when(patch_visit(phone=None, email=None)).then(customer_id=None)
    phoned.when(patch_visit(name="Jo")).then(customer_id=by_phone)


def test_a_customer_can_be_named_later() -> None:
    """A visit created without a customer may be given one, again and again; contact data derive no more then."""
    one = given(location(), visit(customer=None, phone=CONTACT["phone"]))
    named = one.when(patch_visit(customer_id="c-2")).then(customer_id="c-2")
    named.when(patch_visit(phone="+4790090091")).then(customer_id="c-2")
    named.when(patch_visit(external_customer_id="x")).then(customer_id="c-2")
    named.when(patch_visit(customer_id="c-3")).then(customer_id="c-3")
    both = one.when(patch_visit(customer_id="c-2", phone="+4790090091")).then(customer_id="c-2", phone="+4790090091")
    both.when(patch_visit(email="a@b.example")).then(customer_id="c-2")


def test_a_customer_beside_the_visit_comes_before_the_one_in_it() -> None:
    """The member of the command is the explicit one, and makes the customer immutable as well."""
    one = given(location()).when(visit(customer="c-1", customer_id="c-2", **CONTACT)).then(customer_id="c-1")
    one.when(patch_visit(customer_id="c-2")).then_refused(Reason.IMMUTABLE_FIELD, "/patch/customer_id")
