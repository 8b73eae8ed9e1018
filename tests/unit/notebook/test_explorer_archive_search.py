"""The archive's search gives up instead of making a person wait."""

import time

import pytest

from dualsink.errors import ServiceUnavailable
from dualsink.notebook.explorer import archive_search

ENDLESS = "SELECT count(*) FROM range(10000000000) AS a, range(1000) AS b WHERE hash(a.range + b.range) % 7 = 1"

LONG = "SELECT count(*) FROM range(1500000) AS a, range(1000) AS b WHERE hash(a.range + b.range) % 7 = 1"
"""It takes half a minute."""


def test_a_search_that_takes_too_long_ends_with_advice():
    began = time.monotonic()
    with (
        pytest.raises(ServiceUnavailable, match=r"longer than 0\.2 s to answer: narrow the time range"),
        archive_search.opened(longest=0.2) as database,
    ):
        database.execute(ENDLESS).fetchall()
    assert time.monotonic() - began < 20


def test_a_search_whose_time_is_up_between_two_statements_ends_in_the_second():
    with (
        pytest.raises(ServiceUnavailable, match=r"longer than 0\.2 s to answer"),
        archive_search.opened(longest=0.2) as database,
    ):
        database.execute("SELECT 1").fetchall()
        time.sleep(0.5)  # as reading the table's metadata takes
        database.execute(LONG).fetchall()


def test_a_search_that_ends_in_time_is_not_disturbed():
    with archive_search.opened(longest=0.2) as database:
        assert database.execute("SELECT 1").fetchall() == [(1,)]
    time.sleep(0.3)


@pytest.mark.parametrize(
    ("rows", "read", "taken", "days"),
    [
        ([100_000] * 5, 0, 0.0, 2),
        ([900_000, 1], 0, 0.0, 1),
        ([100_000] * 9, 200_000, 0.2, 8),
        ([900_000, 1], 200_000, 0.2, 0),
        ([1], 200_000, 1.5, 0),
    ],
    ids=["some at first", "a large day at first", "what fits by the speed so far", "a day too large", "time is up"],
)
def test_as_many_days_are_read_as_fit_into_a_second(rows, read, taken, days):
    assert archive_search._fitting(rows, read, taken, patience=1) == days
