"""The corpus of hostile records through real Kafka and the real stream: typed, or in the quarantine with its reason."""

from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from kafka import KafkaProducer
from pyspark.sql import Row, SparkSession
from tests.support.corpus import CASES, KAFKA_TIMESTAMP, Case, unexpected

from dualsink.events.model import DAY, document_id, hot_window
from dualsink.kafka import topic
from dualsink.kafka.topic import Topic
from dualsink.ledger import ledger
from dualsink.opensearch import index
from dualsink.opensearch.cluster import Cluster
from dualsink.operations import setup
from dualsink.settings import Settings
from dualsink.stream import query as streaming

Place = tuple[int, int]
# Their attributes are longer than a term of the index may be.
TOO_LONG_FOR_A_TERM = {"20 MB attribute", "key of 100,000 characters"}
# The corpus is of one day; a window as long as since then has the days before it that were hot on that day.
HOT_DAYS = (datetime.now(UTC).date() - datetime.fromtimestamp(KAFKA_TIMESTAMP / 1e6, UTC).date()).days + 7

# Records of several events are several rows: test_positions.
SINGLE = [case for case in CASES if case.expect != "multiple_records"]


@dataclass(frozen=True)
class Sent:
    """What became of the corpus; rows by partition and offset, a document's presence likewise."""

    settings: Settings
    cases: dict[Place, Case]
    totals: dict
    archived: dict[Place, Row]
    refused: dict[Place, Row]
    refused_hot: dict[Place, Row]
    indexed: set[Place]

    def names(self, places) -> set[str]:
        """Names of the cases at these places."""
        return {self.cases[place].name for place in places}


@pytest.fixture(scope="module")
def sent(spark: SparkSession, local: Settings, tmp_path_factory: pytest.TempPathFactory) -> Sent:
    """The whole corpus, sent and streamed in several batches."""
    folder = tmp_path_factory.mktemp("bad-input")
    names = {"kafka_topic": "bad_input", "iceberg_table": "bad_input", "opensearch_index": "bad-input"}
    names["hot_days"] = HOT_DAYS
    folders = {"checkpoint_dir": str(folder / "checkpoint"), "runs_dir": str(folder / "runs")}
    settings = local.model_copy(update=names | folders | {"kafka_partitions": 2, "max_offsets_per_trigger": 150})
    setup.create_all(spark, settings)
    cases = _send(settings, [case for case in SINGLE if case.payload is not None or case.key is not None])
    (nothing,) = [case for case in SINGLE if case not in cases.values()]
    cases[_send_nothing(spark, settings)] = nothing
    totals = streaming.run(spark, settings)
    archive = _rows(spark, settings.archive_table, "unix_micros(timestamp) AS micros", "*")
    quarantine = spark.table(settings.quarantine_table)
    refused = {stage: _by_place(quarantine.where(f"stage = '{stage}'").collect()) for stage in ("parse", "hot")}
    return Sent(settings, cases, totals, archive, refused["parse"], refused["hot"], _indexed(settings, archive))


def _send(settings: Settings, cases: list[Case]) -> dict[Place, Case]:
    """Send cases, received at the corpus's own time."""
    producer = KafkaProducer(
        bootstrap_servers=settings.kafka_bootstrap_servers, max_request_size=settings.kafka_max_message_bytes
    )
    with closing(producer):
        sends = [
            producer.send(
                settings.kafka_topic, case.payload, case.key, partition=i % 2, timestamp_ms=KAFKA_TIMESTAMP // 1000
            )
            for i, case in enumerate(cases)
        ]
        done = [send.get(120) for send in sends]
    return {(each.partition, each.offset): case for each, case in zip(done, cases, strict=True)}


def _send_nothing(spark: SparkSession, settings: Settings) -> Place:
    """Send a record without key and value, which kafka-python refuses to send and the Java client does not."""
    _, end = topic.watermarks(Topic.of(settings))[0]
    row = spark.createDataFrame([(settings.kafka_topic, 0)], "topic string, partition int")
    nothing = row.selectExpr("topic", "partition", "CAST(NULL AS BINARY) AS key", "CAST(NULL AS BINARY) AS value")
    nothing.write.format("kafka").option("kafka.bootstrap.servers", settings.kafka_bootstrap_servers).save()
    return 0, end


def _rows(spark: SparkSession, table: str, *columns: str) -> dict[Place, Row]:
    return _by_place(spark.table(table).selectExpr(*columns).collect())


def _by_place(rows: list[Row]) -> dict[Place, Row]:
    found = {(row["partition"], row["offset"]): row for row in rows}
    assert len(found) == len(rows)
    return found


def _indexed(settings: Settings, archive: dict[Place, Row]) -> set[Place]:
    """Places of the documents that OpenSearch has, asked for by id."""
    topic_id = topic.topic_id(Topic.of(settings))
    ids = {document_id(topic_id, *place, 0): place for place in archive}
    with closing(index.connect(Cluster.of(settings))) as client:
        index.refresh(client, settings.opensearch_index)
        query = {"query": {"ids": {"values": list(ids)}}, "size": len(ids), "_source": False}
        hits = client.search(index=settings.opensearch_index, body=query)["hits"]["hits"]
    return {ids[hit["_id"]] for hit in hits}


def test_no_record_stops_the_stream(sent):
    assert sent.totals["events"] == len(SINGLE) >= 200
    assert sent.totals["batches"] > 2


def test_every_record_lands_in_one_place(sent):
    assert sent.archived.keys() | sent.refused.keys() == sent.cases.keys()
    assert sent.archived.keys() & sent.refused.keys() == set()


def test_what_is_typed_has_the_right_fields(sent):
    judged = {sent.cases[place].name: _judge(sent.cases[place], row) for place, row in sent.archived.items()}
    assert {name: wrong for name, wrong in judged.items() if wrong} == {}


def _judge(case: Case, row: Row) -> object:
    if isinstance(case.expect, str):
        return f"should be refused: {case.expect}"
    return unexpected(case, row.asDict() | {"timestamp": row.micros})


def test_what_is_refused_has_the_right_reason(sent):
    wrong = {
        case.name: (row.reason, case.expect)
        for place, row in sent.refused.items()
        if row.reason != (case := sent.cases[place]).expect
    }
    assert wrong == {}


def test_the_quarantine_keeps_every_byte(sent):
    changed = [
        case.name
        for place, row in sent.refused.items()
        if (row.value, row.key) != ((case := sent.cases[place]).payload, case.key)
    ]
    assert changed == []


def test_what_is_typed_and_recent_is_indexed(sent):
    recent = {place for place, row in sent.archived.items() if row.micros // DAY in hot_window(HOT_DAYS)}
    assert sent.indexed == recent
    assert sent.names(sent.refused_hot) == set()
    assert sent.totals["partly_indexed"] == len(TOO_LONG_FOR_A_TERM)


def test_what_is_indexed_keeps_its_message(sent):
    place = next(place for place, case in sent.cases.items() if case.name == "20 MB message")
    name = document_id(topic.topic_id(Topic.of(sent.settings)), *place, 0)
    with closing(index.connect(Cluster.of(sent.settings))) as client:
        query = {"query": {"ids": {"values": [name]}}}
        (hit,) = client.search(index=sent.settings.opensearch_index, body=query)["hits"]["hits"]
    assert len(hit["_source"]["message"]) == 20_000_000


def test_the_ledger_balances(spark, sent):
    ledger.take(spark, sent.settings).check()
