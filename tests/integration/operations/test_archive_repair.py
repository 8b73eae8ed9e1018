"""Rows of the archive that are doubled or altered: repair mends what is proven, audited, and tells the rest."""

from datetime import UTC, datetime

import pytest
from pyspark.sql import DataFrame, SparkSession
from tests.support import days

from dualsink.errors import FilesChanged, LedgerMismatch
from dualsink.iceberg import data_files
from dualsink.iceberg.archive import Archive
from dualsink.kafka import generator, producer
from dualsink.kafka.topic import Topic
from dualsink.ledger import ledger
from dualsink.operations import audit, audit_log, repair, setup
from dualsink.settings import Settings
from dualsink.stream import query
from dualsink_workbench import kafka_retention


@pytest.fixture
def pipeline(spark: SparkSession, settings: Settings) -> Settings:
    """A pipeline with 20 events in both stores."""
    settings = settings.model_copy(update={"kafka_partitions": 2})
    setup.create_all(spark, settings)
    producer.produce(generator.generate(20, 7, 0.0, days.end_of_events()), Topic.of(settings))
    query.run(spark, settings)
    return settings


def rows(spark: SparkSession, settings: Settings) -> list[str]:
    return sorted(map(str, spark.table(settings.archive_table).collect()))


def some(spark: SparkSession, settings: Settings, condition: str) -> DataFrame:
    found = spark.table(settings.archive_table)
    return spark.createDataFrame(found.where(condition).collect(), found.schema)


def double(spark: SparkSession, settings: Settings, condition: str, **changed: str) -> None:
    copied = some(spark, settings, condition)
    for name, value in changed.items():
        copied = copied.selectExpr(*(c if c != name else f"'{value}' AS {c}" for c in copied.columns))
    copied.writeTo(settings.archive_table).append()


@pytest.mark.parametrize("in_kafka", [True, False])
def test_exact_copies_go_and_one_row_of_each_event_stays(spark, pipeline, in_kafka):
    whole = rows(spark, pipeline)
    double(spark, pipeline, "offset < 3")
    double(spark, pipeline, "partition = 0 AND offset < 2")
    then = datetime.now(UTC)
    if not in_kafka:
        kafka_retention.apply(Topic.of(pipeline))
    copies = spark.table(pipeline.archive_table).count() - 20
    assert not ledger.take(spark, pipeline).holds
    assert repair.repair(spark, pipeline, dry_run=True).rows.removed == copies > 6
    assert spark.table(pipeline.archive_table).count() == 20 + copies

    done = repair.repair(spark, pipeline, who="anna")
    assert (done.rows.removed, done.rows.replaced, done.steps) == (copies, 0, [])
    assert rows(spark, pipeline) == whole
    ledger.take(spark, pipeline).check()
    entries = audit_log.entries(spark, Archive.of(pipeline)).collect()
    assert {entry.action for entry in entries} == {"removing", "removed"}
    assert sum(entry.rows for entry in entries if entry.action == "removed") == copies
    found = audit.take(spark, Archive.of(pipeline), then.isoformat())
    assert (sum(day.lost for day in found.days), found.unexplained) == (copies, [])
    assert repair.repair(spark, pipeline).fact == "both stores are equal: nothing to repair"


def test_what_kafka_contradicts_becomes_what_kafka_has(spark, pipeline):
    whole = rows(spark, pipeline)
    double(spark, pipeline, "partition = 0 AND offset = 0", message="forged")
    spark.sql(f"UPDATE {pipeline.archive_table} SET message = 'altered' WHERE partition = 1 AND offset < 2")
    done = repair.repair(spark, pipeline)
    assert (done.rows.removed, done.rows.replaced, done.written) == (1, 2, 0)
    assert rows(spark, pipeline) == whole
    ledger.take(spark, pipeline).check()
    actions = [entry.action for entry in audit_log.entries(spark, Archive.of(pipeline)).collect()]
    assert sorted(set(actions)) == ["removed", "removing", "replaced", "replacing"]


def test_rows_that_differ_with_nobody_to_say_which_is_right_stay_and_are_named(spark, pipeline):
    double(spark, pipeline, "partition = 0 AND offset = 0", message="forged")
    kafka_retention.apply(Topic.of(pipeline))
    before = rows(spark, pipeline)
    done = repair.repair(spark, pipeline)
    assert (done.rows.removed, done.deleted, done.written) == (0, 0, 0)
    with pytest.raises(LedgerMismatch, match="-0-0 position 0, digest .*: with several contents"):
        done.check()
    assert rows(spark, pipeline) == before


def test_a_row_under_a_legal_hold_is_not_replaced(spark, pipeline, tmp_path):
    file = tmp_path / "holds.yaml"
    file.write_text("holds:\n  - {name: case 14, reason: lawsuit}")
    spark.sql(f"UPDATE {pipeline.archive_table} SET message = 'altered' WHERE partition = 1 AND offset < 2")
    double(spark, pipeline, "partition = 0 AND offset = 0")
    done = repair.repair(spark, pipeline.model_copy(update={"legal_holds": str(file)}))
    assert (done.rows.removed, done.rows.replaced) == (1, 0)
    assert [row.rpartition(": ")[2] for row in done.left.rows] == ["altered, under a legal hold"] * 2


def test_files_that_somebody_else_rewrote_meanwhile_are_left_alone(spark, pipeline, monkeypatch):
    double(spark, pipeline, "offset < 3")
    write = data_files.write

    def overtaken(*given):
        spark.sql(f"UPDATE {pipeline.archive_table} SET level = level WHERE true")
        return write(*given)

    monkeypatch.setattr(data_files, "write", overtaken)
    with pytest.raises(FilesChanged):
        repair.repair(spark, pipeline)
    assert spark.table(pipeline.archive_table).count() > 20
    assert {entry.action for entry in audit_log.entries(spark, Archive.of(pipeline)).collect()} == {"removing", "kept"}


def test_a_row_that_another_engine_altered_by_a_position_delete_is_mended(spark, pipeline):
    whole = rows(spark, pipeline)
    spark.sql(f"ALTER TABLE {pipeline.archive_table} SET TBLPROPERTIES ('write.update.mode' = 'merge-on-read')")
    spark.sql(f"UPDATE {pipeline.archive_table} SET message = 'forged' WHERE offset = 3")
    assert not ledger.take(spark, pipeline).holds
    assert repair.repair(spark, pipeline).rows.replaced
    assert rows(spark, pipeline) == whole
    ledger.take(spark, pipeline).check()
