import uuid

from hypothesis import given
from hypothesis import strategies as st

from service.outbox.row import constant_headers, encode_headers, encode_raw_headers, uuid5
from service.relay.headers import RawHeaders, parse_headers

NAMES = ("ce_id", "ce_correlationid", "traceparent")


def as_bytes(pairs: list[tuple[str, bytes | None]]) -> list[tuple[bytes, bytes | None]]:
    """Headers as they stand in a record."""
    return [(name.encode("utf-8", "surrogateescape"), value) for name, value in pairs]


@given(st.text())
def test_ids_are_version_5_uuids(name: str) -> None:
    """Derived ids are the standard library's UUIDv5 of their name in the service's own namespace."""
    namespace = uuid.uuid5(uuid.NAMESPACE_URL, "urn:bookstream")
    assert uuid5(name.encode()) == str(uuid.uuid5(namespace, name))


@given(
    st.lists(st.tuples(st.sampled_from(NAMES), st.text(st.characters(exclude_categories=["Cs"])))), st.integers(1, 3)
)
def test_text_headers(pairs: list[tuple[str, str]], shared: int) -> None:
    """Text headers come out of a row as the UTF-8 of what went in, whichever of them a kind of message shares."""
    pairs = [("ce_specversion", "1.0"), *pairs]
    found = parse_headers(encode_headers(constant_headers(pairs[:shared]), pairs[shared:]))
    assert not isinstance(found, RawHeaders)
    assert found == [(name, value.encode()) for name, value in pairs]


@given(st.lists(st.tuples(st.binary(max_size=8), st.none() | st.binary(max_size=8))))
def test_raw_headers(pairs: list[tuple[bytes, bytes | None]]) -> None:
    """Headers of any bytes, names included, come out of a row untouched and in order."""
    record = [(name.decode("utf-8", "surrogateescape"), value) for name, value in pairs]
    found = parse_headers(encode_raw_headers(record))
    raw = isinstance(found, RawHeaders)
    assert [(name.encode() if raw else name.encode("utf-8"), value) for name, value in found] == pairs
    assert as_bytes([(str(name), value) for name, value in found]) == pairs


def test_a_name_beyond_ascii() -> None:
    """A name in UTF-8 stays what it is."""
    assert parse_headers(encode_raw_headers([("café", b"\xff"), ("x", None)])) == [
        ("café", b"\xff"),
        ("x", None),
    ]
