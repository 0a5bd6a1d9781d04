"""What the end-to-end tests share: the built programs, a folder each, and one broker for all that need it."""

import os
from pathlib import Path

import pytest

from support.broker import Broker
from support.shipper import Shipper

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def build():
    """The build to test: LIBLOG_BUILD, or the release preset's folder."""
    folder = Path(os.environ.get("LIBLOG_BUILD", REPOSITORY / "build" / "release")).resolve()
    assert folder.is_dir(), f"no build in {folder}: cmake --preset release && cmake --build --preset release"
    return folder


@pytest.fixture
def shipper(build, tmp_path):
    """shipper in a state folder of the test's own."""
    return Shipper(build / "shipper" / "shipper", tmp_path / "state")


@pytest.fixture(scope="session")
def broker(tmp_path_factory):
    """One real Kafka broker for the whole session; each test makes its own topics."""
    with Broker(tmp_path_factory.mktemp("kafka")) as running:
        yield running
