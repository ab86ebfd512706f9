import json

import pytest

from service.decode.fingerprint import command_key
from tests.support.records import received, record, update

SAME = [
    ['{"a":1,"b":2}', '{"b":2,"a":1}', '{ "b" : 2,\n\t"a":1 }', '{"a":9,"b":2,"a":1}', '{"\\u0061":1,"b":2}'],
    ['{"a":2}', '{"a":2.0}', '{"a":2e0}', '{"a":0.2e1}', '{"a":20E-1}', '{"a":2.000}'],
    ['{"a":0}', '{"a":-0}', '{"a":0.0}', '{"a":-0.0}', '{"a":0e5}'],
    ['{"a":0.5}', '{"a":5e-1}', '{"a":0.50}'],
    ['{"a":"é/"}', '{"a":"\\u00e9\\/"}', '{"a":"\\u00E9/"}'],
    ['{"a":"\U0001f600"}', '{"a":"\\ud83d\\ude00"}'],
    ['{"a":["\\ud800",1]}', '{"a":["\\uD800",1.0]}'],
    ['{"a":12345678901234567890123}', '{"a": 12345678901234567890123}'],
    ['{"a":{"x":[1,2],"y":{"p":1,"q":2}}}', '{"a":{"y":{"q":2.0,"p":1},"x":[1.0,2]}}'],
]
DIFFERENT = [
    '{"a":1}', '{"a":"1"}', '{"a":1.5}', '{"a":true}', '{"a":null}', '{"a":[]}', '{"a":{}}', '{"a":""}', "{}",
    '{"a":[1,2]}', '{"a":[2,1]}', '{"b":1}', '{"a":"e\\u0301"}', '{"a":"\\u00e9"}', '{"a":"\\ud800"}',
    '{"a":"\\udfff"}',
    '{"a":"\\ufffd"}', '{"a":12345678901234567890123}', '{"a":12345678901234567890124}', '{"a":1e400}', '{"a":-1e400}',
    '{"a":{"b":1}}', '{"a":{"b":null}}', '{"a":18446744073709551615}', '{"a":18446744073709551616}', '{"a":1e300}',
]  # fmt: skip


def hashed(text: str, command_type: str = "update-booking") -> bytes:
    """Content hash of a command with JSON text in it."""
    value = f'{{"account_id":"acc-1","booking_id":"b-1","patch":{text}}}'
    return received(record(command_type, value.encode(), key=b"b-1")).content_hash


@pytest.mark.parametrize("texts", SAME)
def test_the_same_value_however_written(texts: list[str]) -> None:
    """Order of members, blanks, escapes and forms of a number make no other content."""
    assert len({hashed(text) for text in texts}) == 1


def test_other_values_are_other_content() -> None:
    """Values that differ in anything have hashes that differ, also where no member could hold them."""
    assert len({hashed(text) for text in DIFFERENT}) == len(DIFFERENT)


def test_the_type_is_content() -> None:
    """The same data under another type are another command."""
    assert hashed("{}") != hashed("{}", "create-booking")


@pytest.mark.parametrize("digits", [400, 5000])
@pytest.mark.parametrize("sign", ["", "-"])
def test_integers_without_end(digits: int, sign: str) -> None:
    """Integers of any length are read, are wrong, and are no null."""
    text = f'{{"account_id":"acc-1","booking_id":"b-1","patch":{{"price":{sign}{"7" * digits}}}}}'
    found = received(record("update-booking", text.encode(), key=b"b-1"))
    nothing = received(record("update-booking", update(patch={"price": None})))
    assert found.content_hash != nothing.content_hash
    assert json.dumps(str(found.body))


def test_a_key_separates_channel_source_and_id() -> None:
    """No two of channel, source and id can be told apart differently and give the same key."""
    keys = {
        command_key(source, command_id, internal=internal)
        for internal in (False, True)
        for source, command_id in (
            ("a", "b"), ("ab", ""), ("", "ab"), ("a\n", "b"), ("a", "\nb"), ("1\na", "b"), ("a\n1\nb", ""), ("b", "a"),
            ("\ud800", "x"),
        )
    }  # fmt: skip
    assert len(keys) == 18


def test_the_channels_have_memories_of_their_own() -> None:
    """The two external topics share one memory, the internal channel has another."""
    keys = {
        topic: received(record("update-booking", update(), "c-1", topic=topic)).command_key
        for topic in ("booking-commands", "visit-commands", "internal-commands")
    }
    assert keys["booking-commands"] == keys["visit-commands"] != keys["internal-commands"]
