"""A topic's id is written as Kafka's own tools print it."""

import pytest

from dualsink.kafka.topic import _id_text


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("90ad1856-6f65-4f43-ab43-d9ea8f561bdf", "kK0YVm9lT0OrQ9nqj1Yb3w"),
        ("fbff6f94-f4e3-ab43-d9ea-8f561bdf90ad", "-_9vlPTjq0PZ6o9WG9-QrQ"),
        ("00000000-0000-0000-0000-000000000000", ""),
        (None, ""),
    ],
)
def test_id_in_letters(given, text):
    assert _id_text(given) == text
