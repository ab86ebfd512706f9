"""The kinds of value that the wire knows, each with its check and its JSON Schema."""

import re
import string
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from itertools import groupby
from typing import Annotated, Any, Final
from zoneinfo import available_timezones

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

MAX_INT: Final = 2**63 - 1
MAX_ID: Final = 64
MAX_TEXT: Final = 500
MAX_MONEY: Final = 30
MAX_DECIMALS: Final = 4
MAX_EMAIL: Final = 254
MAX_INSTANT: Final = 64
MAX_DEPTH: Final = 16

_ID_CHARACTERS: Final = frozenset(string.ascii_letters + string.digits + "._:-")
_ID_INTEGERS: Final = 10**63
_REFUSED: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
# The characters that are no marks themselves and decompose into marks alone.
_MARKS_BEHIND_NONE: Final = "\u0f73\u0f75\u0f81"
_TEXT_PATTERN: Final = r"^[^\u0000-\u0008\u000b-\u001f\u007f-\u009f]*$"
_INSTANT: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt]((?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d)(?:\.(\d+))?"
    r"([Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)
_INSTANT_PATTERN: Final = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]+)?"
    r"([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$"
)
_EMAIL: Final = re.compile(
    r"""(?!\.)(?!.*\.\.)[^\s@"(),:;<>\[\\\]]{1,64}(?<!\.)@(?:(?!-)[^\s@.,:;()<>\[\]\\"/]{1,63}(?<!-)\.)+"""
    r"""(?!-)[^\s@.,:;()<>\[\]\\"/]{1,63}(?<!-)"""
)
_LOCAL_DATE_TIME: Final = re.compile("[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]")
_PHONE: Final = re.compile(r"\+[1-9][0-9]{1,14}")
_LOCALE: Final = re.compile("[a-z]{2}-[A-Z]{2}")
_CURRENCY: Final = re.compile("[A-Z]{3}")
_SNAKE_CASE: Final = re.compile("[a-z][a-z0-9_]{0,63}")


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """Annotation that checks a value with one function and says in JSON Schema what that can say."""

    check: Callable[[Any], Any]
    schema: dict[str, Any]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Replaces what the annotated type would check."""
        del source, handler
        return core_schema.no_info_plain_validator_function(self.check)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Gives the declared schema, since pydantic cannot look into the function."""
        del schema, handler
        return dict(self.schema)


def _wrong(kind: str, message: str, context: dict[str, Any] | None = None) -> PydanticCustomError:
    """Builds the error of a check; `message` is a plain literal with {placeholders} filled from `context`."""
    return PydanticCustomError(kind, message, context)


def _ordered(value: str) -> str:
    """Puts marks into the order that normalisation gives them, which takes it quadratic time."""
    for character in _MARKS_BEHIND_NONE:
        value = value.replace(character, unicodedata.normalize("NFD", character))
    runs = groupby(value, lambda each: unicodedata.combining(each) > 0)
    return "".join("".join(sorted(run, key=unicodedata.combining) if is_marks else run) for is_marks, run in runs)


def clean_text(value: str) -> str:
    """Normalises to NFC; control characters other than newline and tab, and lone surrogates, are refused."""
    if value.isascii():
        if value.isprintable():
            return value
    else:
        if not unicodedata.is_normalized("NFC", value):
            value = unicodedata.normalize("NFC", _ordered(value))
        if value.isprintable():
            return value
    if _REFUSED.search(value):
        raise _wrong("text_characters", "must not hold control characters other than newline and tab")
    return value


def is_clean(value: str) -> bool:
    """Whether a text holds only characters that texts on the wire may hold."""
    return value.isprintable() or _REFUSED.search(value) is None


def text(max_length: int, min_length: int = 0) -> Rule:
    """A rule for text; lengths are in characters after normalisation."""

    def check(value: Any) -> str:
        if type(value) is not str:
            raise _wrong("text_type", "must be a text")
        cleaned = clean_text(value)
        if not min_length <= len(cleaned) <= max_length:
            raise _wrong("text_length", "must have {min} to {max} characters", {"min": min_length, "max": max_length})
        return cleaned

    lengths = {"minLength": min_length} if min_length else {}
    return Rule(check, {"type": "string", **lengths, "maxLength": max_length, "pattern": _TEXT_PATTERN})


def _id(value: Any) -> str:
    if type(value) is str:
        if 0 < len(value) <= MAX_ID and _ID_CHARACTERS.issuperset(value):
            return value
    elif type(value) is int and -_ID_INTEGERS < value < 10 * _ID_INTEGERS:
        return str(value)
    raise _wrong("id", "must be an id: 1 to 64 characters out of A-Z a-z 0-9 . _ : - or an integer")


@lru_cache(maxsize=8192)
def canonical_instant(value: str) -> str:
    """Converts RFC 3339 with an offset to UTC with Z; digits past the microsecond are cut off.

    Raises ValueError for anything else, leap seconds and times outside the years 1 to 9999.
    """
    match = _INSTANT.fullmatch(value)
    if match is None:
        raise ValueError("no RFC 3339 time with an offset")
    day, clock, fraction, offset = match.groups()
    micro = (fraction or "")[:6].ljust(6, "0")
    zone = "+00:00" if offset in "Zz" else offset
    try:
        moment = datetime.fromisoformat(f"{day}T{clock}.{micro}{zone}").astimezone(UTC)
    except OverflowError as error:
        raise ValueError("out of range") from error
    return moment.replace(tzinfo=None).isoformat(timespec=_precision(moment.microsecond)) + "Z"


def _precision(microsecond: int) -> str:
    if microsecond == 0:
        return "seconds"
    return "microseconds" if microsecond % 1000 else "milliseconds"


def _instant(value: Any) -> str:
    if type(value) is str and len(value) <= MAX_INSTANT:
        try:
            return canonical_instant(value)
        except ValueError:
            pass
    raise _wrong("instant", "must be a time in RFC 3339 with an offset, such as 2026-12-24T18:00:00+01:00")


def _money(value: Any) -> str:
    if type(value) is str and 0 < len(value) <= MAX_MONEY and value.isascii():
        whole, point, decimals = value.partition(".")
        decimals_fit = not point or (len(decimals) <= MAX_DECIMALS and decimals.isdigit())
        if decimals_fit and whole.isdigit() and (whole == "0" or whole[0] != "0"):
            return value
    raise _wrong("money", 'must be a decimal string of at least 0 with at most 4 decimals, such as "120.50"')


def _local_date_time(value: Any) -> str:
    if type(value) is str and _LOCAL_DATE_TIME.fullmatch(value):
        try:
            datetime.fromisoformat(value)
        except ValueError:
            pass
        else:
            return value
    raise _wrong("local_date_time", "must be a local date and time as YYYY-MM-DDThh:mm")


def _phone(value: Any) -> str:
    if type(value) is str and _PHONE.fullmatch(value):
        return value
    raise _wrong("phone", "must be a phone number in E.164, such as +4790090090")


def _email(value: Any) -> str:
    if type(value) is str and len(value) <= 2 * MAX_EMAIL:
        address = clean_text(value)
        if len(address) <= MAX_EMAIL and _EMAIL.fullmatch(address):
            return address
    raise _wrong("email", "must be an e-mail address of at most 254 characters")


def _locale(value: Any) -> str:
    if type(value) is str and _LOCALE.fullmatch(value):
        return value
    raise _wrong("locale", "must be a language and a country as xx-YY")


def _currency(value: Any) -> str:
    if type(value) is str and _CURRENCY.fullmatch(value):
        return value
    raise _wrong("currency", "must be a currency code of three capitals")


@lru_cache(maxsize=1)
def _time_zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _time_zone(value: Any) -> str:
    if type(value) is str and value in _time_zones():
        return value
    raise _wrong("time_zone", "must be the name of a time zone, such as Europe/Oslo")


def _snake_case(value: Any) -> str:
    if type(value) is str and _SNAKE_CASE.fullmatch(value):
        return value
    raise _wrong("snake_case", "must be a name in lower snake_case of at most 64 characters")


def _json(value: Any, depth: int = 0) -> Any:
    if depth > MAX_DEPTH:
        raise _wrong("json_depth", "must not be nested more than {max} deep", {"max": MAX_DEPTH})
    kind = type(value)
    if kind is str:
        return clean_text(value)
    if kind is list:
        return [_json(item, depth + 1) for item in value]
    if kind is dict:
        return {_json(key, depth + 1): _json(item, depth + 1) for key, item in value.items()}
    if value is None or kind in (bool, int, float):
        return value
    raise _wrong("json", "must be a JSON value")


def _scalar(value: Any) -> Any:
    if type(value) in (dict, list):
        raise _wrong("scalar", "must be a text, a number, true, false or null")
    if type(value) is str and len(value) > MAX_TEXT:
        raise _wrong("text_length", "must have at most {max} characters", {"max": MAX_TEXT})
    return _json(value)


def text_or_texts(max_length: int, max_items: int) -> Rule:
    """A rule for a text or a list of texts."""
    one = text(max_length)

    def check(value: Any) -> Any:
        if type(value) is not list:
            return one.check(value)
        if len(value) > max_items:
            raise _wrong("list_length", "must have at most {max} items", {"max": max_items})
        return [one.check(item) for item in value]

    return Rule(check, {"anyOf": [one.schema, {"type": "array", "items": one.schema, "maxItems": max_items}]})


def _as_schema(pattern: re.Pattern[str]) -> dict[str, Any]:
    return {"type": "string", "pattern": f"^{pattern.pattern}$"}


Id = Annotated[str, Rule(_id, {"type": ["string", "integer"], "pattern": "^[A-Za-z0-9._:-]{1,64}$"})]
Text = Annotated[str, text(MAX_TEXT)]
Name = Annotated[str, text(200)]
Word = Annotated[str, text(64)]
Instant = Annotated[str, Rule(_instant, {"type": "string", "format": "date-time", "pattern": _INSTANT_PATTERN})]
Money = Annotated[
    str, Rule(_money, {"type": "string", "maxLength": MAX_MONEY, "pattern": r"^(0|[1-9][0-9]*)(\.[0-9]{1,4})?$"})
]
LocalDateTime = Annotated[str, Rule(_local_date_time, _as_schema(_LOCAL_DATE_TIME))]
Phone = Annotated[str, Rule(_phone, _as_schema(_PHONE))]
Email = Annotated[str, Rule(_email, {**_as_schema(_EMAIL), "format": "email", "maxLength": MAX_EMAIL})]
Locale = Annotated[str, Rule(_locale, _as_schema(_LOCALE))]
Currency = Annotated[str, Rule(_currency, _as_schema(_CURRENCY))]
TimeZone = Annotated[str, Rule(_time_zone, {"type": "string", "minLength": 1, "maxLength": 64})]
SnakeCase = Annotated[str, Rule(_snake_case, _as_schema(_SNAKE_CASE))]
JsonValue = Annotated[Any, Rule(_json, {})]
Scalar = Annotated[
    str | int | float | bool | None,
    Rule(_scalar, {"type": ["string", "number", "boolean", "null"], "maxLength": MAX_TEXT}),
]
Count = Annotated[int, Field(strict=True, ge=0, le=MAX_INT)]
Positive = Annotated[int, Field(strict=True, ge=1, le=MAX_INT)]
