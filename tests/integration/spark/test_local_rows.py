"""Rows of the driver in a data frame of a real session."""

from datetime import UTC, date, datetime

import pyarrow as pa
import pytest

from dualsink.spark import local_rows

DDL = "day date, topic_id string, partition int, first long, time timestamp"
ROWS = [
    (date(2026, 11, 28), "a", 1, 2**40, datetime(2026, 11, 28, 1, 2, 3, 456789, UTC)),
    (date(1969, 12, 31), "b", None, None, None),
]


def test_rows_come_back_as_they_were(spark):
    found = local_rows.frame(spark, ROWS, DDL)
    assert [tuple(row) for row in found.select("day", "topic_id", "partition", "first").collect()] == [
        row[:4] for row in ROWS
    ]
    assert [row[0] for row in found.selectExpr("unix_micros(time)").collect()] == [1795827723456789, None]
    assert found.schema.simpleString() == "struct<day:date,topic_id:string,partition:int,first:bigint,time:timestamp>"


def test_no_row_is_an_empty_frame(spark):
    assert local_rows.frame(spark, [], DDL).collect() == []


def test_no_python_worker_converts_them(spark):
    plan = local_rows.frame(spark, ROWS, DDL)._jdf.queryExecution().optimizedPlan().toString()
    assert plan.startswith("LocalRelation")


def test_a_value_of_another_type_is_refused(spark):
    with pytest.raises((pa.ArrowInvalid, pa.ArrowTypeError)):
        local_rows.frame(spark, [("no day", "a", 1, 2, None)], DDL)
