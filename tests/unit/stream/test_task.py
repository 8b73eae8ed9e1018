"""Where the events of a record are already, by what the stores say of its positions."""

import subprocess
import sys

import pytest

from dualsink.iceberg import quarantine
from dualsink.stream.task import _places

ARCHIVED, WAITING = (
    {"position": 0, "positions": 3, "place": "archive"},
    {"position": 1, "positions": 3, "place": "parse"},
)


@pytest.mark.parametrize(("position", "places"), [(0, ["archive"]), (1, ["parse"]), (2, [])])
def test_each_position_is_held_by_itself(position, places):
    assert _places([ARCHIVED, WAITING], position, 3) == places


def test_nothing_is_added_to_a_record_that_another_parser_split_otherwise():
    assert quarantine.PARSE in _places([ARCHIVED], 1, 2)


def test_a_worker_loads_nothing_that_it_does_not_use():
    code = "import sys, dualsink.stream.task; print([name for name in ('pandas', 'pyiceberg') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"
