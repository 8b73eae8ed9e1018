"""One set of servers and one warm JVM for all tests of the oracle; topic, tables and alias for each."""

from collections.abc import Iterator

import pytest
from tests.oracle.lab import Lab
from tests.oracle.world import World
from tests.support import midnight
from tests.support.turns import of_today


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip the sequences whose turn it is not, unless the command line names the oracle."""
    if any("oracle" in argument for argument in config.args):
        return
    sequences = [item.nodeid for item in items if item.path.name == "test_sequences.py"]
    skip = pytest.mark.skip("its turn in CI is on another day; `./run_all.sh test tests/oracle` runs all")
    for name in set(sequences) - set(of_today(sequences)):
        next(item for item in items if item.nodeid == name).add_marker(skip)


@pytest.fixture(autouse=True)
def one_day() -> None:
    """Begin no test when a UTC day is about to end: its days would be others."""
    midnight.keep_off(minutes=8)


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Servers of the oracle's own."""
    with World(tmp_path_factory.mktemp("oracle")).standing() as world:
        yield world


@pytest.fixture
def lab(world: World, request: pytest.FixtureRequest) -> Lab:
    """A pipeline that is set up, named after the test."""
    return Lab.of(world, request.node.name.removeprefix("test_"))
