"""Reads records with header names that are not UTF-8.

Kafka's protocol calls a header name a string, and the broker stores whatever bytes come. aiokafka decodes names
strictly while it unpacks a fetched batch, so one hostile record fails every fetch of its partition for ever, and with
it the poll of all others. A batch that the fast parser cannot decode is read again by aiokafka's own Python parser over
a buffer that decodes leniently (surrogate escapes, PEP 383).
"""

from typing import Any

from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.util import decode_varint_py


class _LenientBuffer(bytearray):
    """Bytes whose slices decode whatever they hold."""

    def __getitem__(self, index: Any) -> Any:
        found = super().__getitem__(index)
        return _LenientBuffer(found) if isinstance(index, slice) else found

    def decode(self, encoding: str = "utf-8", errors: str = "surrogateescape") -> str:
        """Text with surrogate escapes in place of what is no UTF-8."""
        return super().decode(encoding, errors)


class LenientBatch(_DefaultRecordBatchPy):  # type: ignore[misc]
    """aiokafka's Python parser of one batch, over a lenient buffer."""

    def _read_msg(self) -> Any:
        buffer: Any = self._buffer
        if not isinstance(buffer, _LenientBuffer):
            self._buffer: Any = _LenientBuffer(buffer)
        return super()._read_msg(decode_varint_py)
