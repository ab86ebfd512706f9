import pytest

from service.consume.expand import MOST_BYTES, Unreadable, expand
from tests.support.batches import CODECS

each_codec = pytest.mark.parametrize("name", CODECS)


@each_codec
def test_what_was_compressed_comes_back(name: str) -> None:
    """Nothing, a little, and more than one block of it."""
    codec, compress = CODECS[name]
    for records in (b"", b"x", bytes(range(256)) * 1000):
        assert expand(codec, compress(records)) == records


@each_codec
def test_the_bound(name: str) -> None:
    """So many bytes are taken, and not one more."""
    codec, compress = CODECS[name]
    assert len(expand(codec, compress(bytes(MOST_BYTES)))) == MOST_BYTES
    with pytest.raises(Unreadable, match=f"more than {MOST_BYTES} bytes"):
        expand(codec, compress(bytes(MOST_BYTES + 1)))


@each_codec
def test_what_is_cut_off(name: str) -> None:
    """Half of a stream is none."""
    codec, compress = CODECS[name]
    whole = compress(bytes(range(256)) * 1000)
    with pytest.raises(Unreadable):
        expand(codec, whole[: len(whole) // 2])


@pytest.mark.parametrize(
    ("codec", "payload", "told"),
    [
        (0, b"x", "names no codec"),
        (7, b"x", "names no codec"),
        (1, b"xyz", "is no gzip"),
        (1, CODECS["gzip"][1](b"x") + b"y", "something follows"),
        (1, CODECS["gzip"][1](b"x") * 2, "something follows"),
        (2, b"", "is no snappy"),
        (2, b"\xff\xff\xff\xff\x0f", "more than"),
        (2, b"\x82SNAPPY\x00" + bytes(8) + b"\x00\x00", "no length"),
        (2, b"\x82SNAPPY\x00" + bytes(8) + b"\xff\xff\xff\xfc", "cut off"),
        (2, b"\x82SNAPPY\x00" + bytes(8) + b"\x00\x00\x00\x09x", "cut off"),
        (3, b"x", "is no lz4"),
        (4, b"x", "is no zstd"),
    ],
)
def test_what_no_codec_writes(codec: int, payload: bytes, told: str) -> None:
    """It is said what is wrong, whatever the bytes are."""
    with pytest.raises(Unreadable, match=told):
        expand(codec, payload)


def test_the_bound_is_of_all_blocks() -> None:
    """Blocks that are small enough by themselves are too large together."""
    block = CODECS["snappy-raw"][1](bytes(MOST_BYTES // 2))
    framed = len(block).to_bytes(4) + block
    head = b"\x82SNAPPY\x00" + bytes(8)
    assert len(expand(2, head + framed * 2)) == MOST_BYTES
    with pytest.raises(Unreadable, match="more than"):
        expand(2, head + framed * 2 + b"\x00\x00\x00\x03\x01\x00x")
