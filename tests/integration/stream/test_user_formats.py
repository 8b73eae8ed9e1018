"""A format of a user's own: stream, re-drive, replay and ledger all read records by it."""

import json
import time
from contextlib import closing
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from dualsink.errors import LedgerMismatch
from dualsink.kafka import producer
from dualsink.kafka.records import Record
from dualsink.kafka.topic import Topic
from dualsink.ledger import ledger
from dualsink.opensearch import index
from dualsink.opensearch.cluster import Cluster
from dualsink.operations import redrive, replay, setup
from dualsink.settings import Settings
from dualsink.stream import query

FORMATS = """\
formats:
  - name: our gateway
    recognised_by: [gw_ts, gw_text]
    time: {place: gw_ts, unit: ms}
    level: {place: gw_sev, scale: {1: ERROR, 2: WARN}}
    message: gw_text
    service: gw_app
"""


@pytest.fixture
def ours(settings: Settings, tmp_path: Path) -> Settings:
    (tmp_path / "formats.yaml").write_text(FORMATS, encoding="utf-8")
    return settings.model_copy(update={"kafka_partitions": 1, "formats": str(tmp_path / "formats.yaml")})


def gateway(message: str) -> Record:
    value = {"gw_ts": time.time_ns() // 1_000_000, "gw_sev": 1, "gw_text": message, "gw_app": "edge"}
    return Record(b"", json.dumps(value).encode(), None)


def test_a_format_of_a_users_own_is_read_by_stream_redrive_replay_and_ledger(spark: SparkSession, settings, ours):
    setup.create_all(spark, ours)
    producer.produce([gateway("a"), gateway("b")], Topic.of(ours))
    assert query.run(spark, settings)["refused"] == {"missing_timestamp": 2}
    assert redrive.redrive(spark, ours).resolved == 2
    producer.produce([gateway("c")], Topic.of(ours))
    assert query.run(spark, ours)["archived"] == 1
    rows = spark.table(ours.archive_table).select("level", "message", "service").collect()
    assert sorted(map(tuple, rows)) == [("ERROR", message, "edge") for message in "abc"]
    with closing(index.connect(Cluster.of(ours))) as client:
        index.refresh(client, ours.opensearch_index)
        assert client.count(index=ours.opensearch_index)["count"] == 3
    assert replay.replay(spark, ours, "0", "100").as_dict()["archive_repaired"] == 0
    ledger.take(spark, ours).check()
    told = r"altered in Kafka and archive: 3 \(this version, these formats .* compared\)\n"
    with pytest.raises(LedgerMismatch, match=told):  # without the format the same records are none
        ledger.take(spark, settings).check()
