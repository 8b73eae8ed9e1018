"""Real application logs, all 12,641 rows of both files, from the file through Kafka into both stores."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from dualsink.kafka import producer
from dualsink.kafka.source import Source
from dualsink.kafka.topic import Topic
from dualsink.ledger import ledger
from dualsink.operations import setup
from dualsink.stream import query

DATA = Path(__file__).parents[2] / "data"


@dataclass(frozen=True)
class Expected:
    """What a file holds: rows, events by level, and how many services, hosts and traces they name."""

    rows: int
    levels: dict[str, int]
    services: int
    hosts: int
    traces: int


FILES = {
    "online_boutique": Expected(7_260, {"INFO": 7_120, "UNKNOWN": 140}, services=10, hosts=8, traces=147),
    "train_ticket": Expected(5_381, {"INFO": 5_143, "WARN": 198, "ERROR": 40}, services=27, hosts=9, traces=137),
}


@pytest.mark.parametrize("shift_to_now", [False, True], ids=["as they are", "shifted to now"])
@pytest.mark.parametrize("name", FILES)
def test_every_row_of_real_logs_arrives_typed(spark, settings, name, shift_to_now):
    update = {
        "input_path": str(DATA / f"{name}.csv.gz"),
        "shift_to_now": shift_to_now,
        "max_offsets_per_trigger": 4_000,
    }
    settings, expected = settings.model_copy(update=update), FILES[name]
    setup.create_all(spark, settings)
    producer.produce(Source.of(settings).records(), Topic.of(settings))
    totals = query.run(spark, settings)
    hot = expected.rows if shift_to_now else 0
    assert (totals["archived"], totals["created"], totals["refused"]) == (expected.rows, hot, {})
    archive = spark.table(settings.archive_table)
    assert {row.level: row["count"] for row in archive.groupBy("level").count().collect()} == expected.levels
    names = archive.selectExpr("count(distinct service)", "count(distinct host)", "count(distinct trace_id)").first()
    assert tuple(names) == (expected.services, expected.hosts, expected.traces)
    typed = archive.where("message IS NOT NULL AND host IS NOT NULL AND trace_id IS NOT NULL AND span_id IS NOT NULL")
    assert typed.count() == expected.rows
    ledger.take(spark, settings).check()
