import pytest

from service.cli.run import ALL_ROLES, _shared

ALL = frozenset(ALL_ROLES.split(","))


@pytest.mark.parametrize(
    ("roles", "workers", "first", "others"),
    [
        (ALL, 1, ALL, 0),
        (ALL, 2, {"relay", "clock"}, 2),
        ({"worker", "clock"}, 3, {"clock"}, 3),
        ({"worker"}, 3, {"worker"}, 2),
        ({"relay"}, 1, {"relay"}, 0),
    ],
)
def test_one_worker_is_all_there_is_and_several_are_beside_the_rest(
    roles: set[str], workers: int, first: set[str], others: int
) -> None:
    """As many processes have the role worker as were asked for, and every role is somebody's."""
    assert _shared(frozenset(roles), workers) == (frozenset(first), others)
