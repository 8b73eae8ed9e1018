"""What all tests on real servers share beside the servers."""

import pytest
from tests.support import midnight


@pytest.fixture(scope="module", autouse=True)
def one_day() -> None:
    """Begin no module when a UTC day is about to end: most of them count days."""
    midnight.keep_off(minutes=4)
