import pytest
from aiokafka.errors import IncompatibleBrokerVersion

from service.consume.identity import METADATA, Ask


@pytest.mark.parametrize(("newest", "asked"), [(5, 5), (9, 5), (10, 10), (13, 10)])
def test_brokers_are_asked_in_the_newest_way_they_know(newest: int, asked: int) -> None:
    """A broker that has no ids of topics is asked without them, and refuses nothing."""
    request = Ask(["booking-commands"]).prepare({METADATA: (0, newest)})
    version = request.API_VERSION
    assert version == asked


def test_brokers_that_do_not_say_what_they_know() -> None:
    """Nothing is guessed of a broker whose versions are not known."""
    with pytest.raises(IncompatibleBrokerVersion):
        Ask(["booking-commands"]).prepare({})
