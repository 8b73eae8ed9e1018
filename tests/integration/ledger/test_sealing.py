"""Sealed days on real stores: not read again while their files are the same, and never trusted beyond that."""

from datetime import UTC, date, datetime, timedelta

import orjson
import pytest
from pyspark.sql import SparkSession

from dualsink.errors import LedgerMismatch
from dualsink.events.reading import Reading
from dualsink.iceberg.archive import Archive
from dualsink.iceberg.storage import Bucket
from dualsink.kafka import producer, topic
from dualsink.kafka.records import Record
from dualsink.kafka.topic import Topic
from dualsink.ledger import ledger, proven
from dualsink.ledger.book import Ledger
from dualsink.ledger.position import Position
from dualsink.ledger.tables import Tables
from dualsink.opensearch.hot_tier import HotTier
from dualsink.operations import repair, sealing, setup
from dualsink.settings import Settings
from dualsink.stream import query
from dualsink_workbench import kafka_retention

TODAY = datetime.now(UTC).date()
OLD = [TODAY - timedelta(days=back) for back in (400, 300, 200)]


def send(settings: Settings, *days: date, count: int = 4) -> None:
    texts = [
        {"timestamp": f"{day}T10:00:00Z", "level": "INFO", "message": f"m{n}"} for day in days for n in range(count)
    ]
    producer.produce([Record(b"", orjson.dumps(text), None) for text in texts], Topic.of(settings))


def read(spark: SparkSession, settings: Settings) -> tuple[date, ...] | None:
    """Days of the archive that a ledger would read now."""
    tables = Tables.pinned(spark, Archive.of(settings))
    position = Position.of(Topic.of(settings), tables, topic.topic_id(Topic.of(settings)))
    return proven.of(Reading.of(settings), tables, position, everything=False).days(settings.archive_table)


def validated(spark: SparkSession, settings: Settings) -> Ledger:
    return sealing.validate(spark, settings)[0]


def without_seals(book: Ledger) -> dict:
    told = book.as_dict()
    return {name: value for name, value in told.items() if not name.startswith("sealed") and name != "taken_at"}


@pytest.fixture
def sealed(spark: SparkSession, settings: Settings) -> Settings:
    """Three old days and today, a record that is no event, all sealed."""
    settings = settings.model_copy(update={"kafka_partitions": 1})
    setup.create_all(spark, settings)
    send(settings, *OLD, TODAY)
    producer.produce([Record(b"", b"no event", None)], Topic.of(settings))
    query.run(spark, settings)
    book, seals = sealing.validate(spark, settings)
    assert book.holds and book.sealed_days == 0
    assert sorted(seal.events for seal in seals) == [1, 4, 4, 4, 4]
    return settings


def test_days_that_are_sealed_and_unchanged_are_not_read_and_the_ledger_says_the_same(spark, sealed):
    assert read(spark, sealed) == ()
    send(sealed, TODAY, OLD[1])
    producer.produce([Record(b"", b"no event either", None)], Topic.of(sealed))
    query.run(spark, sealed)
    for offset in (2, 14, None):  # Kafka has a part of the first day, of the last one, and nothing any more
        kafka_retention.apply(Topic.of(sealed), offset)
        tables = Tables.pinned(spark, Archive.of(sealed))
        some, known = ledger.taken(Topic.of(sealed), HotTier.of(sealed), Reading.of(sealed), tables)
        assert known.days(sealed.archive_table) == (OLD[1], TODAY)
        whole = ledger.take(spark, sealed, everything=True)
        assert whole.holds and some.sealed_days == 2 and some.sealed_events == 8
        assert without_seals(some) == without_seals(whole)
    assert validated(spark, sealed).holds
    assert read(spark, sealed) == ()


def test_rows_that_are_gone_from_a_sealed_day_are_missed_with_and_without_kafka(spark, sealed):
    spark.sql(f"DELETE FROM {sealed.archive_table} WHERE `offset` = 1")
    assert [(f.verdict, f.count) for f in ledger.take(spark, sealed).findings] == [("missing", 1)]
    kafka_retention.apply(Topic.of(sealed))
    assert [(f.verdict, f.count) for f in ledger.take(spark, sealed).findings if f.differs] == [("lost", 1)]


def test_a_sealed_row_that_is_altered_when_kafka_has_forgotten_it_is_found(spark, sealed):
    kafka_retention.apply(Topic.of(sealed))
    spark.sql(f"UPDATE {sealed.archive_table} SET message = 'forged' WHERE `offset` = 1")
    for everything in (False, True):
        with pytest.raises(LedgerMismatch, match=rf"(?s)altered in archive: 1 .*{OLD[0]}"):
            ledger.take(spark, sealed, everything=everything).check()
    assert sealing.validate(spark, sealed)[1] == []


def test_a_day_that_was_only_compacted_is_read_again_and_holds(spark, sealed):
    send(sealed, OLD[0])
    query.run(spark, sealed)
    assert validated(spark, sealed).holds
    assert read(spark, sealed) == (OLD[0],)  # the last record that was sealed
    catalogue, table = sealed.archive_table.split(".", 1)
    spark.sql(f"CALL {catalogue}.system.rewrite_data_files(table => '{table}', options => map('rewrite-all', 'true'))")
    assert set(OLD) <= set(read(spark, sealed))
    assert validated(spark, sealed).holds and read(spark, sealed) == (OLD[0],)


def test_records_that_wait_in_the_quarantine_since_before_are_not_lost(spark, settings):
    settings = settings.model_copy(update={"kafka_partitions": 1})
    setup.create_all(spark, settings)
    producer.produce([Record(b"", b"no event", None)] * 3, Topic.of(settings))
    send(settings, TODAY)
    query.run(spark, settings)
    assert validated(spark, settings).holds
    send(settings, TODAY)
    query.run(spark, settings)
    assert ledger.take(spark, settings).holds


def test_a_copy_of_a_sealed_row_on_another_day_is_found_with_and_without_kafka(spark, sealed):
    table, later = sealed.archive_table, OLD[2]
    columns = ", ".join(
        f"TIMESTAMP '{later} 11:00:00Z'" if name == "timestamp" else f"`{name}`" for name in spark.table(table).columns
    )
    spark.sql(f"INSERT INTO {table} SELECT {columns} FROM {table} WHERE `offset` = 1")
    assert {f.verdict for f in ledger.take(spark, sealed).findings if f.differs} >= {"doubled"}
    kafka_retention.apply(Topic.of(sealed))
    assert {f.verdict for f in ledger.take(spark, sealed).findings if f.differs} == {"doubled"}


def test_a_sealed_row_that_is_altered_and_repaired_from_kafka_is_no_difference_any_more(spark, sealed):
    spark.sql(f"UPDATE {sealed.archive_table} SET message = 'forged' WHERE `offset` = 1")
    assert "altered" in {f.verdict for f in ledger.take(spark, sealed).findings}
    repair.repair(spark, sealed)
    assert validated(spark, sealed).holds
    assert read(spark, sealed) == ()


def test_a_column_that_was_dropped_and_added_again_makes_all_days_be_read(spark, sealed):
    spark.sql(f"ALTER TABLE {sealed.archive_table} DROP COLUMN host")
    setup.create_all(spark, sealed)
    assert read(spark, sealed) == (*OLD, TODAY)


def test_a_file_that_is_gone_from_the_storage_is_not_taken_for_a_sealed_day(spark, sealed):
    paths = [row.file_path for row in spark.sql(f"SELECT file_path FROM {sealed.archive_table}.files").collect()]
    bucket = Bucket.of(sealed)
    key = next(path for path in paths if f"={OLD[0]}" in path).removeprefix(f"s3://{bucket.name}/")
    bucket.client.delete_object(Bucket=bucket.name, Key=key)
    with pytest.raises(Exception, match=key.rpartition("/")[2]):
        ledger.take(spark, sealed)


def test_an_altered_audit_table_is_found_and_a_ledger_of_everything_begins_a_new_chain(spark, sealed):
    assert sealing.verify(spark, Archive.of(sealed)).chain.unbroken
    spark.sql(f"UPDATE {sealed.audit_table} SET `rows` = 3 WHERE action = 'sealed' AND day = DATE '{OLD[0]}'")
    with pytest.raises(LedgerMismatch, match=f"{OLD[0]}.*it was altered"):
        sealing.verify(spark, Archive.of(sealed)).check()
    with pytest.raises(LedgerMismatch, match="altered in audit table: 1.*validate --all"):
        validated(spark, sealed).check()
    book, seals = sealing.validate(spark, sealed, everything=True)
    assert book.holds and len(seals) == 5
    assert sealing.verify(spark, Archive.of(sealed)).chain.unbroken and read(spark, sealed) == ()


def test_a_ledger_that_does_not_hold_seals_nothing(spark, sealed):
    spark.sql(f"DELETE FROM {sealed.archive_table} WHERE `offset` = 1")
    send(sealed, TODAY)
    query.run(spark, sealed)
    before = sealing.verify(spark, Archive.of(sealed)).chain.heads
    assert sealing.validate(spark, sealed)[1] == []
    assert sealing.verify(spark, Archive.of(sealed)).chain.heads == before


def test_an_event_that_came_late_has_only_the_offsets_near_it_looked_at_again(spark):
    names = "topic_id string, partition int, offset long"
    read = spark.createDataFrame([("t", 0, n) for n in (*range(10), 5_000_000)], names)
    sealed = [("t", 0, 5), ("t", 0, 2_500_000), ("t", 0, 5_000_000), ("t", 1, 5), ("u", 0, 5)]
    near = spark.createDataFrame(sealed, names).where(proven._within(proven._near(read)))
    assert {tuple(row) for row in near.collect()} == {("t", 0, 5), ("t", 0, 5_000_000)}
