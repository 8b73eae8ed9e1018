"""Statement 1 for one record: what Kafka has, against what is held of it."""

import pytest

from dualsink.ledger.kafka_side import _READ_OTHERWISE, compared
from dualsink.ledger.verdicts import ALTERED, BEYOND_KAFKA, DOUBLED, MISSING


def now(*digests: int) -> list[dict]:
    return [
        {"position": i, "positions": len(digests), "digest": digest, "bytes": 7, "typed": True}
        for i, digest in enumerate(digests)
    ]


REFUSED = [now(1)[0] | {"typed": False}]


def row(position: int, positions: int, digest: int) -> dict:
    return {"position": position, "positions": positions, "store": "archive", "digest": digest, "bytes": None}


def kept(position: int, positions: int, content: int = 7) -> dict:
    return {"position": position, "positions": positions, "store": "quarantine", "digest": 0, "bytes": content}


@pytest.mark.parametrize(
    ("has", "held", "expected"),
    [
        (now(1), [row(0, 1, 1)], []),
        (now(1), [row(0, 1, 2)], [(0, ALTERED)]),
        (now(1), [], [(0, MISSING)]),
        ([], [row(0, 1, 1)], [(0, BEYOND_KAFKA)]),
        ([], [row(0, 1, 1), row(0, 1, 1)], [(0, BEYOND_KAFKA), (0, DOUBLED)]),
        (now(1), [row(0, 1, 1), row(0, 1, 1)], [(0, DOUBLED)]),
        (now(1), [row(0, 1, 1), kept(0, 1)], [(0, DOUBLED)]),
        (now(1), [kept(0, 1)], []),
        (now(1), [kept(0, 1, content=8)], [(0, ALTERED)]),
        (now(1, 2, 3), [row(0, 3, 1), kept(1, 3), row(2, 3, 3)], []),
        (now(1, 2, 3), [row(0, 3, 1), row(2, 3, 3)], [(1, MISSING)]),
        (now(1, 2, 3), [kept(0, 1)], []),
        (now(1, 2, 3), [kept(0, 1, content=8)], [(0, ALTERED)]),
        (now(1), [kept(0, 3), kept(2, 3)], [(1, MISSING)]),
        (now(1, 2, 3), [row(0, 1, 9)], [(0, _READ_OTHERWISE)]),
        (now(1), [row(0, 2, 9), row(1, 2, 9)], [(0, _READ_OTHERWISE), (1, _READ_OTHERWISE)]),
        (REFUSED, [row(0, 1, 1)], [(0, _READ_OTHERWISE)]),
        (REFUSED, [kept(0, 1)], []),
        (REFUSED, [], [(0, MISSING)]),
        (now(1), [row(0, 1, 1), row(1, 1, 1)], [(1, ALTERED)]),
        (now(1, 2)[1:], [kept(1, 2)], []),
    ],
    ids=[
        "equal", "altered", "missing", "compacted", "compacted and doubled", "doubled", "in both stores", "waits",
        "other bytes wait",
        "several", "one of several is missing", "waits as it was split before", "split before, other bytes",
        "split before, one is missing", "archived as it was split before", "archived as several",
        "archived, and refused today", "refused then and today", "refused, and nowhere", "a position too many",
        "the other one is sealed",
    ],
)  # fmt: skip
def test_every_position_is_accounted_for(has, held, expected):
    assert list(compared(has, held)) == expected
