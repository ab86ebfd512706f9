from io import BytesIO
from typing import Any

import pytest
from aiokafka.protocol.fetch import FetchRequest, FetchRequest_v11, FetchResponse_v11
from hypothesis import given
from hypothesis import strategies as st

from service.consume.fetch_message import QuickRequest, QuickResponse

INT16, INT32, INT64 = (st.integers(-(1 << bits), (1 << bits) - 1) for bits in (15, 31, 63))
NAMES = st.text("aé-.", max_size=5)
PARTITIONS = st.tuples(
    INT32,
    INT16,
    INT64,
    INT64,
    INT64,
    st.none() | st.lists(st.tuples(INT64, INT64), max_size=3),
    INT32,
    st.none() | st.binary(max_size=9),
)
RESPONSES = st.tuples(INT32, INT16, INT32, st.lists(st.tuples(NAMES, st.lists(PARTITIONS, max_size=3)), max_size=3))
VERSIONS = {1: (4, 17)}


@given(RESPONSES)
def test_a_response_is_read_as_aiokafka_reads_it(members: tuple[Any, ...]) -> None:
    """Whatever is in it, behind whatever was read before."""
    written = FetchResponse_v11(*members).encode()
    data = BytesIO(b"head" + written)
    data.seek(4)
    assert QuickResponse.decode(data) == FetchResponse_v11.decode(written)


@given(RESPONSES)
def test_a_response_that_is_cut_off(members: tuple[Any, ...]) -> None:
    """Wherever it ends too early, it is no response."""
    written = FetchResponse_v11(*members).encode()
    for end in range(len(written)):
        with pytest.raises(ValueError, match=r"cut off|unpack"):
            QuickResponse.decode(BytesIO(written[:end]))


@given(
    st.integers(0, 9),
    st.integers(0, 1),
    st.lists(st.tuples(NAMES, st.lists(st.tuples(INT32, INT64, INT32), max_size=3)), max_size=3),
)
def test_a_request_is_written_as_aiokafka_writes_it(most: int, isolation: int, topics: list[Any]) -> None:
    """The same bytes, for brokers of today and of before."""
    for version, versions in ((11, VERSIONS), (10, {1: (0, 10)})):
        ours, theirs = (
            kind(10, 1, most, isolation, topics, rack_id="a").prepare(versions) for kind in (QuickRequest, FetchRequest)
        )
        assert (ours.API_VERSION, ours.encode()) == (version, theirs.encode())
    assert issubclass(type(QuickRequest(10, 1, most, isolation, topics).prepare(VERSIONS)), FetchRequest_v11)
