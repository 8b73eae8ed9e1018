"""Being watched, on the real pipeline: a JSON line a batch, and Prometheus metrics while it runs."""

import json
import urllib.request
from contextlib import closing
from datetime import UTC, datetime
from socket import socket

import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families
from pyspark.sql import SparkSession
from tests.support import days

from dualsink.errors import PlatformError, ServiceUnavailable
from dualsink.kafka import generator, producer
from dualsink.kafka.records import Record
from dualsink.kafka.topic import Topic
from dualsink.operations import setup
from dualsink.settings import Settings
from dualsink.stream import query
from dualsink.stream.sink import BatchReport
from dualsink_workbench.chaos.proxy import Proxy, Rule
from dualsink_workbench.servers.process import free_ports

CANARY = "canary-7f3a"
BULK = "POST /_bulk"


@pytest.fixture
def pipeline(spark: SparkSession, settings: Settings) -> Settings:
    """A pipeline of two partitions with nothing in it."""
    settings = settings.model_copy(update={"kafka_partitions": 2, "run_id": "watched", "retry_cap_seconds": 0.5})
    setup.create_all(spark, settings)
    return settings


def produce(settings: Settings, count: int = 300, malformed_share: float = 0.0) -> None:
    producer.produce(generator.generate(count, 7, malformed_share, days.end_of_events()), Topic.of(settings))


def lines(settings: Settings) -> list[dict]:
    return [json.loads(line) for line in (settings.run_path / "batches.jsonl").read_text().splitlines()]


def scraped(port: int) -> dict[tuple[str, str], float]:
    """Values by sample name and its one label, as the port tells them now."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        families = text_string_to_metric_families(answer.read().decode())
        return {(s.name, next(iter(s.labels.values()), "")): s.value for family in families for s in family.samples}


def test_every_batch_is_a_line_with_run_batch_events_refusals_seconds_lag_and_freshness(spark, pipeline):
    produce(pipeline, 300, malformed_share=0.1)
    told: list[tuple[BatchReport, int | None]] = []
    totals = query.run(
        spark, pipeline.model_copy(update={"max_offsets_per_trigger": 100}), lambda *batch: told.append(batch)
    )
    found = lines(pipeline)
    assert [line["event"] for line in found] == ["batch"] * totals["batches"]
    assert {line["run_id"] for line in found} == {"watched"}
    assert [line["batch_id"] for line in found] == [report.batch_id for report, _ in told]
    assert (sum(line["events"] for line in found), sum(line["archived"] for line in found)) == (300, 270)
    refused = {row.reason: row["count"] for row in _by_reason(spark, pipeline)}
    assert refused == {reason: sum(line["refused"].get(reason, 0) for line in found) for reason in refused}
    assert all(line["seconds"] and min(line["seconds"].values()) >= 0 for line in found)
    assert all(line["retries"] == 0 for line in found)
    assert all(0 <= age < 3 * 3600 for line in found for age in line["freshness_seconds"].values())
    assert all(line["freshness_seconds"].keys() == {"archive", "opensearch"} for line in found)


def _by_reason(spark: SparkSession, settings: Settings) -> list:
    return spark.table(settings.quarantine_table).groupBy("reason").count().collect()


def test_the_lag_of_every_partition_shrinks_to_nothing_and_the_report_is_told_the_same(spark, pipeline):
    produce(pipeline)
    waiting: list[int | None] = []
    batches = pipeline.model_copy(update={"max_offsets_per_trigger": 100})
    query.run(spark, batches, lambda batch, count: waiting.append(count))
    lags = [line["lag"] for line in lines(pipeline)]
    names = {f"{pipeline.kafka_topic}-{partition}" for partition in (0, 1)}
    assert all(lag.keys() == names for lag in lags)
    assert [sum(each["offsets"] for each in lag.values()) for lag in lags] == waiting
    assert waiting == sorted(waiting, reverse=True) and waiting[0] >= 200 - 2 and waiting[-1] == 0
    assert all(each["seconds"] > 0 for each in lags[0].values())
    assert [each["seconds"] for each in lags[-1].values()] == [0, 0]


def test_neither_lines_nor_metrics_hold_content_of_events(spark, pipeline):
    (port,) = free_ports(1)
    event = {"timestamp": datetime.now(UTC).isoformat(), "level": CANARY, "service": CANARY, "message": CANARY}
    long_number = f'"{CANARY}": 0.{"1" * 1_100}}}'  # more digits than OpenSearch takes
    values = [json.dumps(each) for each in (event, event | {"message": None})]
    values.append(f"{values[0].removesuffix('}')}, {long_number}")
    records = [Record(CANARY.encode(), value.encode(), None) for value in values]
    producer.produce([*records, Record(None, CANARY.encode(), None)], Topic.of(pipeline))
    seen: list[str] = []

    def scrape(batch: BatchReport, waiting: int | None) -> None:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            seen.append(answer.read().decode())

    totals = query.run(spark, pipeline.model_copy(update={"metrics_port": port}), scrape)
    assert sum(totals["refused"].values()) == 3
    assert [text for text in ("\n".join(seen), str(lines(pipeline))) if CANARY in text or not text] == []


def test_metrics_are_scraped_from_the_local_port_during_a_live_run_and_the_port_is_closed_after_it(spark, pipeline):
    (port,) = free_ports(1)
    live = {"streaming_mode": "live", "streaming_duration_seconds": 1, "trigger_seconds": 0.5}
    produce(pipeline, 200, malformed_share=0.1)
    seen: list[dict] = []
    settings = pipeline.model_copy(update=live | {"metrics_port": port, "max_offsets_per_trigger": 100})
    totals = query.run(spark, settings, lambda batch, waiting: seen.append(scraped(port)))
    assert len(seen) == totals["batches"] > 1
    assert [each["dualsink_events_total", ""] for each in seen][-1] == 200
    refused = {label: value for (name, label), value in seen[-1].items() if name == "dualsink_refused_total"}
    assert refused == totals["refused"]
    lags = [value for (name, _), value in seen[-1].items() if name == "dualsink_lag_records"]
    assert lags == [0, 0]
    assert {label for name, label in seen[-1] if name == "dualsink_freshness_seconds"} == {"archive", "opensearch"}
    assert sum(value for (name, _), value in seen[-1].items() if name == "dualsink_leg_seconds_total") > 0
    assert (seen[-1]["dualsink_retries_total", ""], seen[-1]["dualsink_failed_batches_total", ""]) == (0, 0)
    with pytest.raises(OSError):
        scraped(port)


def test_retries_are_counted_where_opensearch_was_busy(spark, pipeline):
    produce(pipeline, 50)
    busy = Rule(BULK, lambda exchange: exchange.answer(429), limit=2)
    with Proxy(pipeline.opensearch_port, busy) as proxy:
        totals = query.run(spark, pipeline.model_copy(update={"opensearch_port": proxy.port}))
    assert totals["retries"] == 2
    assert sum(line["retries"] for line in lines(pipeline)) == 2


def test_a_failed_batch_is_a_line_too_with_the_kind_of_error_and_no_more(spark, pipeline):
    produce(pipeline, 50)
    away = Rule(BULK, lambda exchange: exchange.drop())
    with Proxy(pipeline.opensearch_port, away) as proxy, pytest.raises(ServiceUnavailable):
        impatient = {"opensearch_port": proxy.port, "retry_deadline_seconds": 1.0}
        query.run(spark, pipeline.model_copy(update=impatient))
    (line,) = lines(pipeline)
    wanted = ("batch failed", "error", 0, "ServiceUnavailable")
    assert (line["event"], line["level"], line["batch_id"], line["error"]) == wanted
    assert line.keys() == {"event", "level", "batch_id", "error", "run_id", "topic", "timestamp"}


def test_no_port_is_opened_unless_asked_for(spark, pipeline):
    produce(pipeline, 20)
    query.run(spark, pipeline)
    before, during = _listeners(), []
    produce(pipeline, 20)
    query.run(spark, pipeline, lambda batch, waiting: during.append(_listeners()))
    assert (Settings().metrics_port, during) == (0, [before])


def _listeners() -> set[int]:
    found = psutil.Process().net_connections("tcp")
    return {each.laddr.port for each in found if each.status == psutil.CONN_LISTEN}


def test_a_taken_port_is_refused_by_name_before_anything_is_read(spark, pipeline):
    produce(pipeline, 20)
    with closing(socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(
            PlatformError, match=f"metrics_port {port} cannot be used .*: choose another, or 0 for none"
        ):
            query.run(spark, pipeline.model_copy(update={"metrics_port": port}))
    assert query.run(spark, pipeline)["events"] == 20
