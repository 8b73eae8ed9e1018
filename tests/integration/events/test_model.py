"""Identity in SQL: Spark makes the same ids and index names, byte for byte, as what writes the documents."""

import pytest
from pyspark.sql import functions as F
from tests.support.identity import EVENTS, TOPIC_ID

from dualsink.events import model
from dualsink.ledger import digest


@pytest.fixture
def events(spark):
    rows = [(*identity, timestamp) for identity, timestamp, _, _ in EVENTS]
    found = spark.createDataFrame(rows, "topic_id string, partition int, offset long, position int, micros long")
    return found.withColumn("timestamp", F.timestamp_micros("micros")).orderBy("micros")


def test_id_and_index_name_in_bytes(events):
    index = model.index_name_sql("application-logs")
    made = events.selectExpr(f"encode({model.document_id_sql()}, 'UTF-8')", f"encode({index}, 'UTF-8')").collect()
    assert [(bytes(name), bytes(index)) for name, index in made] == [event[2:] for event in EVENTS]


def test_the_index_of_a_day_is_that_of_its_events(events):
    days = events.select(F.to_date("timestamp").alias("day")).selectExpr(
        model.index_name_sql("application-logs", "day")
    )
    assert [name.encode() for (name,) in days.collect()] == [event[3] for event in EVENTS]


def test_an_event_without_an_identity_has_no_id(spark):
    bare = spark.createDataFrame([(TOPIC_ID, 0, 0, None)], "topic_id string, partition int, offset long, position int")
    assert bare.selectExpr(model.document_id_sql()).first()[0] is None


def digests(spark, *rows: dict) -> list[int]:
    schema = model.ddl(model.ARCHIVE_COLUMNS)
    values = [tuple(row.get(name) for name in model.ARCHIVE_COLUMNS) for row in rows]
    found = digest.digested(spark.createDataFrame(values, schema)).select("digest")
    return [row.digest for row in found.collect()]


def test_a_value_in_another_column_is_another_content(spark):
    event = {"topic_id": TOPIC_ID, "partition": 0, "offset": 1, "position": 0, "message": "m"}
    made = digests(spark, event | {"stack_trace": "x"}, event | {"trace_id": "x"}, event | {"stack_trace": "x"})
    assert made[0] == made[2] != made[1]


def test_every_column_counts(spark):
    made = digests(spark, {}, *({name: _value(kind)} for name, kind in model.ARCHIVE_COLUMNS.items()))
    assert len(set(made)) == len(made)


def _value(kind: str) -> object:
    from datetime import datetime

    return {"string": "x", "int": 0, "bigint": 0, "timestamp": datetime(2026, 11, 23)}[kind]
