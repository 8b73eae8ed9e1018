"""How far a ledger reaches in one partition."""

import pytest

from dualsink.iceberg.markers import Reach
from dualsink.ledger.position import Partition


@pytest.mark.parametrize(
    ("partition", "position", "waiting", "span"),
    [
        (Partition(0, 10, Reach(0, 9)), 10, 0, (0, 9)),
        (Partition(0, 14, Reach(0, 9)), 10, 4, (0, 9)),
        (Partition(5, 14, Reach(0, 9)), 10, 4, (0, 9)),
        (Partition(12, 14, Reach(0, 9)), 12, 2, (0, 11)),
        (Partition(14, 14, Reach(0, 9)), 14, 0, (0, 13)),
        (Partition(0, 8, Reach(0, 9)), 8, 0, (0, 9)),
        (Partition(3, 8, None), 3, 5, None),
    ],
    ids=[
        "all is read", "some waits", "Kafka dropped what was read", "Kafka dropped some unread",
        "Kafka dropped all", "Kafka lost its end", "nothing was read",
    ],
)  # fmt: skip
def test_a_partition_is_compared_up_to_what_was_read_and_nothing_between_may_be_lost(
    partition, position, waiting, span
):
    assert (partition.position, partition.waiting, partition.span) == (position, waiting, span)
