"""The service without its metrics, to see what they cost: `python -m tests.benchmarks.unmetered run`."""

from service.cli.main import main
from service.handle import batch
from service.relay.relay import Relay
from service.telemetry.meters import Meters


def _nothing(*_: object, **__: object) -> None:
    """Counts nothing."""


if __name__ == "__main__":
    for place, name in ((batch, "tell"), (Relay, "_count"), (Meters, "add"), (Meters, "observe")):
        setattr(place, name, _nothing)
    main()
