"""A batch of rows, in the bytes in which Kafka stores it."""

from typing import Any

from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy

from service.relay.headers import Headers
from service.relay.window import Row


class RowBatch(BatchBuilder):  # type: ignore[misc]  # aiokafka has no types
    """Takes rows as they are: none of the serializers and options of aiokafka's own is asked for each of them."""

    def __init__(self, batch_size: int) -> None:
        super().__init__(batch_size, 0)

    def add(self, row: Row, headers: Headers) -> bool:
        """Append a row with its headers; False when there is no room, which there always is for the first."""
        if self._builder.append(self._relative_offset, None, row.key, row.value, headers) is None:
            self.close()
            return False
        self._relative_offset += 1
        return True


class RawNameBatch(RowBatch):
    """A batch for records with raw header names: aiokafka's Python builder, which asks a name for its own bytes."""

    def __init__(self, batch_size: int) -> None:
        super().__init__(batch_size)
        self._builder: Any = _DefaultRecordBatchBuilderPy(
            2, 0, is_transactional=0, producer_id=-1, producer_epoch=-1, base_sequence=0, batch_size=batch_size
        )

    def _set_producer_state(self, producer_id: int, producer_epoch: int, base_sequence: int) -> None:
        self._builder.set_producer_state(producer_id, producer_epoch, base_sequence)
