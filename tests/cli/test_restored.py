"""What `bookstream restored` reads off events."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from service.cli.restored import epoch_of


@pytest.mark.parametrize(
    ("headers", "epoch"),
    [
        ([("ce_sequence", b"00000000000000000001")], 0),
        ([("ce_sequence", b"00010000000000000002")], 1),
        ([("ce_sequence", b"99990000000000000000")], 9_999),
        ([("ce_id", b"x"), ("ce_sequence", b"00029999999999999999")], 2),
        ([], -1),
        ([("ce_sequence", None)], -1),
        ([("ce_sequence", b"12")], -1),
        ([("ce_sequence", b"-0010000000000000002")], -1),
        ([("ce_sequence", b"\xff" * 20)], -1),
    ],
)
def test_the_epoch_of_an_event(headers: list[tuple[str, bytes | None]], epoch: int) -> None:
    """The first four digits of a sequence; whatever else lies on the topic has none."""
    assert epoch_of(cast("Any", SimpleNamespace(headers=headers))) == epoch
