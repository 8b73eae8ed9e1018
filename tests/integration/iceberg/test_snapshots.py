"""A pinned table on a real catalogue: what is committed later does not show."""

import pytest

from dualsink.iceberg import snapshots
from dualsink.operations import setup
from dualsink.settings import Settings

ROW = "timestamp'2026-11-23 10:00:00 UTC', 'INFO', 's', 'm', 't', 0, {}L, now()"
NAMES = "timestamp, level, service, message, topic, partition, offset, kafka_timestamp"


@pytest.fixture
def table(spark, settings: Settings) -> str:
    setup.create_all(spark, settings)
    return settings.archive_table


def add(spark, table: str, offset: int) -> None:
    spark.sql(f"INSERT INTO {table} ({NAMES}) SELECT {ROW.format(offset)}")


def test_a_commit_between_two_counts_changes_a_table_and_not_a_pinned_one(spark, table):
    empty = snapshots.pinned(spark, table)
    add(spark, table, 0)
    one = snapshots.pinned(spark, table)
    assert (empty.count(), one.count(), spark.table(table).count()) == (0, 1, 1)
    add(spark, table, 1)
    assert (empty.count(), one.count(), spark.table(table).count()) == (0, 1, 2)
    assert [row.offset for row in one.collect()] == [0]


def test_a_column_that_was_added_since_is_there_and_empty(spark, table):
    add(spark, table, 0)
    spark.sql(f"ALTER TABLE {table} ADD COLUMNS (later string)")
    pinned = snapshots.pinned(spark, table)
    assert pinned.columns == spark.table(table).columns
    assert pinned.first().later is None


def test_what_came_after_a_snapshot_is_known_or_said_not_to_be(spark, table):
    assert snapshots.since(snapshots.ancestors(spark, table), None) == []
    add(spark, table, 0)
    first = snapshots.current(spark, table)
    add(spark, table, 7)
    newer = snapshots.since(snapshots.ancestors(spark, table), first)
    assert [snapshot.adds for snapshot in newer] == [True]
    assert list(newer[0].bounds(("topic", "partition", "offset", "log_id"))) == [[("t", "t"), (0, 0), (7, 7), None]]
    assert len(snapshots.since(snapshots.ancestors(spark, table), None)) == 2
    assert snapshots.since(snapshots.ancestors(spark, table), 4711) is None
    spark.sql(f"UPDATE {table} SET message = 'n' WHERE offset = 7")
    assert not next(snapshots.ancestors(spark, table)).adds
