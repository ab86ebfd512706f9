import unicodedata
from datetime import datetime, timedelta, timezone
from typing import Annotated, Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from schemas.types import MAX_DEPTH, Id, Instant, JsonValue, Money, text

ID: TypeAdapter[str] = TypeAdapter(Id)
INSTANT: TypeAdapter[str] = TypeAdapter(Instant)
MONEY: TypeAdapter[str] = TypeAdapter(Money)
JSON: TypeAdapter[Any] = TypeAdapter(JsonValue)
TEXT: TypeAdapter[str] = TypeAdapter(Annotated[str, text(500)])

CONTROLS = [chr(code) for code in range(0x110000) if unicodedata.category(chr(code)) == "Cc"]
OFFSETS = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENTS = st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31), timezones=OFFSETS)  # noqa: DTZ001

# Pieces of their own: mixed into one alphabet, the few that NFC changes would hardly ever come.
COMPOSABLE = st.sampled_from(["e\u0301", "a\u030a", "\u1100\u1161", "\u0958", "\u212b", "\u0301", "e", "\n"])
PIECES = st.lists(st.one_of(COMPOSABLE, COMPOSABLE, st.text(max_size=3)), max_size=20).map("".join)


@given(MOMENTS)
def test_instant_is_the_same_moment_in_utc(moment: datetime) -> None:
    """Any RFC 3339 time comes out as the same moment in UTC with Z, and again as itself."""
    shown = INSTANT.validate_python(moment.isoformat())
    assert shown.endswith("Z")
    assert datetime.fromisoformat(shown) == moment
    assert INSTANT.validate_python(shown) == shown


@given(MOMENTS)
def test_instant_has_as_many_digits_as_it_needs(moment: datetime) -> None:
    """The fraction is absent, or has three digits for whole milliseconds, else six."""
    fraction = INSTANT.validate_python(moment.isoformat())[19:-1]
    micro = moment.microsecond
    assert len(fraction) == (0 if micro == 0 else 7 if micro % 1000 else 4)


@pytest.mark.parametrize(
    ("given_text", "shown"),
    [
        ("2026-12-24T18:00:00+01:00", "2026-12-24T17:00:00Z"),
        ("2026-12-24t18:00:00z", "2026-12-24T18:00:00Z"),
        ("2026-12-24T18:00:00-00:00", "2026-12-24T18:00:00Z"),
        ("2026-12-24T18:00:00.000000000Z", "2026-12-24T18:00:00Z"),
        ("2026-12-24T18:00:00.5Z", "2026-12-24T18:00:00.500Z"),
        ("2026-12-24T18:00:00.000001Z", "2026-12-24T18:00:00.000001Z"),
        ("2026-12-24T18:00:00.999999999Z", "2026-12-24T18:00:00.999999Z"),
        ("2024-02-29T23:30:00-01:00", "2024-03-01T00:30:00Z"),
    ],
)
def test_instant_by_example(given_text: str, shown: str) -> None:
    """Times come out in UTC, without a fraction when it is zero; digits past the microsecond are cut off."""
    assert INSTANT.validate_python(given_text) == shown


@pytest.mark.parametrize(
    "wrong",
    [
        "2026-12-24T18:00:00",
        "2026-12-24",
        "2026-12-24 18:00:00Z",
        "20261224T180000Z",
        "2026-W52-4T18:00:00Z",
        "2026-12-24T18:00Z",
        "2026-12-24T18:00:00,5Z",
        "2026-12-24T18:00:00.Z",
        "2026-12-24T18:00:00+01",
        "2026-12-24T18:00:00+0100",
        "2026-12-24T18:00:00+24:00",
        "2026-12-24T24:00:00Z",
        "2026-02-29T12:00:00Z",
        "2016-12-31T23:59:60Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "٢٠٢٦-12-24T18:00:00Z",
        "2026-12-24T18:00:00Z\n",
        "",
        1906545600,
        None,
        True,
    ],
)
def test_what_is_no_instant(wrong: object) -> None:
    """No offset, another notation, a day that is not, a leap second, out of range, a number: all refused."""
    with pytest.raises(ValidationError):
        INSTANT.validate_python(wrong)


@given(PIECES)
def test_text_is_normalised_once_and_for_all(value: str) -> None:
    """Text comes out in NFC, so that taking it again changes nothing; control characters are refused."""
    if any(character in CONTROLS and character not in "\n\t" for character in value):
        with pytest.raises(ValidationError):
            TEXT.validate_python(value)
        return
    once = TEXT.validate_python(value)
    assert once == unicodedata.normalize("NFC", value)
    assert TEXT.validate_python(once) == once


def test_only_newline_and_tab_of_the_control_characters_are_text() -> None:
    """Every character of the category Cc is refused, but for two; other invisible ones are taken."""
    for character in CONTROLS:
        if character in "\n\t":
            assert TEXT.validate_python(f"a{character}ø") == f"a{character}ø"
            continue
        for value in (character, f"ø{character}", f"窓側{character}の席"):
            with pytest.raises(ValidationError):
                TEXT.validate_python(value)
    assert TEXT.validate_python("👩‍👩‍👧\u2028\ufeff") == "👩‍👩‍👧\u2028\ufeff"


@pytest.mark.parametrize("wrong", ["\ud800", "a\udfff", "窓\ud83d", 1, 1.5, True, None, b"x", ["x"]])
def test_what_is_no_text(wrong: object) -> None:
    """Lone surrogates and values of another type are no text."""
    with pytest.raises(ValidationError):
        TEXT.validate_python(wrong)


def test_the_length_of_text_counts_after_normalisation() -> None:
    """A letter and its combining accent are one character."""
    assert TEXT.validate_python("e\u0301" * 500) == "é" * 500
    with pytest.raises(ValidationError):
        TEXT.validate_python("e\u0301" * 501)


@given(st.from_regex(r"[A-Za-z0-9._:-]{1,64}", fullmatch=True))
def test_id_is_kept(value: str) -> None:
    """An id of the allowed characters is kept as it is."""
    assert ID.validate_python(value) == value


@given(st.integers(-(10**63) + 1, 10**64 - 1))
def test_integer_becomes_its_decimal_string(value: int) -> None:
    """An integer of at most 64 characters is an id."""
    assert ID.validate_python(value) == str(value)


@given(st.text())
def test_other_text_is_no_id(value: str) -> None:
    """A text with any other character, or of another length, is refused."""
    allowed = all(character.isascii() and (character.isalnum() or character in "._:-") for character in value)
    assume(not (allowed and 1 <= len(value) <= 64))
    with pytest.raises(ValidationError):
        ID.validate_python(value)


@pytest.mark.parametrize("wrong", [True, 1.0, None, "", "a b", "a/b", "ø", "a\n", "x" * 65, 10**64, -(10**63)])
def test_what_is_no_id(wrong: object) -> None:
    """Booleans, fractions and integers of more than 64 characters are no ids."""
    with pytest.raises(ValidationError):
        ID.validate_python(wrong)


def test_an_integer_past_all_writing_is_no_id() -> None:
    """An integer that Python itself will not write out is refused like any other that is too long."""
    with pytest.raises(ValidationError):
        ID.validate_python(10**5000)


@given(st.decimals(0, 10**20, places=4))
def test_money_is_kept_as_written(value: object) -> None:
    """A decimal string comes out as it was written."""
    assert MONEY.validate_python(str(value)) == str(value)


@pytest.mark.parametrize(
    "wrong", ["", ".5", "5.", "05", "-1", "+1", "1e3", "1,5", " 1", "1.00000", "٣", "²", "1.²", "NaN", 1]
)
def test_what_is_no_money(wrong: object) -> None:
    """Money has no sign, exponent, blank, leading zero, fifth decimal or foreign digit."""
    with pytest.raises(ValidationError):
        MONEY.validate_python(wrong)


def test_json_is_cleaned_at_every_level() -> None:
    """Text inside of JSON is normalised, and nesting has an end."""
    assert JSON.validate_python({"e\u0301": ["e\u0301", 1, None, True, 1.5]}) == {"é": ["é", 1, None, True, 1.5]}
    deep: Any = "x"
    for _ in range(MAX_DEPTH):
        deep = [deep]
    assert JSON.validate_python(deep) == deep
    for wrong in ([deep], [{"a": "\x00"}], {"\ud800": 1}, b"x"):
        with pytest.raises(ValidationError):
            JSON.validate_python(wrong)
