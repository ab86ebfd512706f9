from io import BytesIO
from typing import Any

import pytest
from aiokafka.protocol.produce import ProduceRequest, ProduceRequest_v7, ProduceResponse_v7
from hypothesis import given
from hypothesis import strategies as st

from service.relay.produce_message import QuickRequest, QuickResponse

INT16, INT32, INT64 = (st.integers(-(1 << bits), (1 << bits) - 1) for bits in (15, 31, 63))
NAMES = st.text("aé-.", max_size=5)
PARTITIONS = st.tuples(INT32, INT16, INT64, INT64, INT64)
RESPONSES = st.tuples(st.lists(st.tuples(NAMES, st.lists(PARTITIONS, max_size=3)), max_size=3), INT32)
BATCHES = st.tuples(INT32, st.binary(max_size=9) | st.builds(bytearray, st.binary(max_size=9)))


@given(RESPONSES)
def test_a_response_is_read_as_aiokafka_reads_it(members: tuple[Any, ...]) -> None:
    """Whatever is in it, behind whatever was read before."""
    written = ProduceResponse_v7(*members).encode()
    data = BytesIO(b"head" + written)
    data.seek(4)
    assert QuickResponse.decode(data) == ProduceResponse_v7.decode(written)


@given(RESPONSES)
def test_a_response_that_is_cut_off(members: tuple[Any, ...]) -> None:
    """Wherever it ends too early, it is no response."""
    written = ProduceResponse_v7(*members).encode()
    for end in range(len(written)):
        with pytest.raises(ValueError, match=r"cut off|unexpected end"):
            QuickResponse.decode(BytesIO(written[:end]))


@given(st.none() | NAMES, st.lists(st.tuples(NAMES, st.lists(BATCHES, max_size=3)), max_size=3))
def test_a_request_is_written_as_aiokafka_writes_it(transaction: str | None, topics: list[Any]) -> None:
    """The same bytes, for brokers of today and of before."""
    for newest in (13, 6):
        made = [
            kind(transaction, -1, 40_000, topics).prepare({0: (3, newest)}) for kind in (QuickRequest, ProduceRequest)
        ]
        ours, theirs = made
        assert (ours.API_VERSION, ours.encode()) == (min(newest, 7), theirs.encode())
        assert isinstance(ours, ProduceRequest_v7) is (newest == 13)
