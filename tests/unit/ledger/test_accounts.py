"""What was erased counts once."""

from datetime import date

import pytest

from dualsink.ledger.accounts import Account, Erasure

DAY, OTHER = date(2025, 1, 1), date(2025, 1, 2)


@pytest.mark.parametrize(
    ("erasures", "expected"),
    [
        ([], 0),
        ([Erasure("t", DAY, 5, (0, 9)), Erasure("t", OTHER, 2, (0, 9))], 7),
        ([Erasure("t", DAY, 5, (0, 9)), Erasure("t", DAY, 1, (20, 20))], 6),
        ([Erasure("t", DAY, 5, (0, 9)), Erasure("t", DAY, 6, (0, 20))], 6),
        ([Erasure("t", DAY, 5, (0, 9)), Erasure("q", DAY, 1, (4, 4))], 6),
        ([Erasure("t", DAY, 5, None), Erasure("t", DAY, 1, None)], 6),
    ],
    ids=["nothing", "two days", "what came late", "rolled back and erased again", "two tables", "an older version's"],
)
def test_records_that_were_erased(erasures, expected):
    assert Account(tuple(erasures)).erased == expected
