"""What the image holds beside the service, and under which licences."""

import re
from importlib import metadata
from pathlib import Path

import pytest

# Permissive ones, and the Mozilla licence, which binds changes to its own files alone.
PERMITTED = re.compile(
    r"(MIT|MIT-0|MIT License|BSD-[23]-Clause|3-Clause BSD License|Apache-2\.0|Apache 2|PSF-2\.0|MPL-2\.0"
    r"|AND|OR|[()]|\s)+"
)
ROW = re.compile(r"^\| `([a-z0-9-]+)` \| ([^|]+) \|$", re.MULTILINE)


def stated(package: str) -> str:
    """The licence that a package states of itself."""
    found = metadata.metadata(package).json
    return str(found.get("license_expression") or found.get("license") or "")


@pytest.fixture
def page(deploy: Path) -> str:
    """The list."""
    return (deploy / "LICENCES.md").read_text(encoding="utf-8")


def test_every_package_of_the_image_is_listed(deploy: Path, page: str) -> None:
    """With the licence that it states; those of the lock and no others."""
    lock = (deploy / "requirements.lock").read_text(encoding="utf-8")
    packages = re.findall(r"^([a-z0-9-]+)==", lock, re.MULTILINE)
    assert ROW.findall(page) == [(package, stated(package)) for package in packages]


def test_licences_are_permitted(page: str) -> None:
    """None that would bind the service itself."""
    assert [row for row in ROW.findall(page) if not PERMITTED.fullmatch(row[1])] == []


@pytest.mark.parametrize("licence", ["GPL-3.0", "AGPL-3.0-only OR MIT", "", "Proprietary"])
def test_others_are_not(licence: str) -> None:
    """The check knows a licence that is not on its list."""
    assert PERMITTED.fullmatch(licence) is None
