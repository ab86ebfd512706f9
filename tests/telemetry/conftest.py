"""The stage of a real Kafka and the bench of batches, as other folders have them."""

from tests.e2e.conftest import stage
from tests.handle.conftest import bench

__all__ = ["bench", "stage"]
