"""What a re-drive takes out of the quarantine: what today's parser types, at its position or as several events."""

import json

import pytest

from dualsink.events.parser import parse
from dualsink.operations import redrive

GOOD = json.dumps({"timestamp": "2026-11-24T10:00:00Z", "service": "s", "message": "m"}).encode()


@pytest.mark.parametrize(
    ("value", "position", "positions", "stage", "good"),
    [
        (GOOD, 0, 1, "parse", True),
        (b"bad", 0, 1, "parse", False),
        (GOOD + b"\nbad", 0, 2, "parse", True),
        (GOOD + b"\nbad", 1, 2, "parse", False),
        (GOOD + b"\nbad", 0, 1, "parse", True),
        (GOOD + b"\nbad", 1, 3, "parse", False),
        (GOOD + b"\n" + GOOD, 0, 1, "hot", False),
    ],
    ids=["typed now", "still refused", "typed at its position", "refused at its position", "several now",
         "one of others, split otherwise", "archived as one"],
)  # fmt: skip
def test_what_comes_home(value, position, positions, stage, good):
    assert redrive._is_good([parse(line, None, -1) for line in value.split(b"\n")], position, positions, stage) is good
