"""Each verdict on real servers: found with its count, its names and its command, and ended by that command."""

import shlex
from contextlib import closing

import pytest
from opensearchpy import OpenSearch
from pyspark.sql import SparkSession
from tests.support import days

from dualsink.errors import LedgerMismatch
from dualsink.kafka import generator, producer
from dualsink.kafka.topic import Topic
from dualsink.ledger import ledger
from dualsink.ledger.book import Ledger, in_order
from dualsink.opensearch import index as indices
from dualsink.opensearch.cluster import Cluster
from dualsink.operations import acknowledge, repair, replay, rescue, setup
from dualsink.settings import Settings
from dualsink.stream import query
from dualsink_workbench import kafka_retention


@pytest.fixture
def pipeline(spark: SparkSession, settings: Settings) -> Settings:
    """Twenty events in both stores."""
    settings = settings.model_copy(update={"kafka_partitions": 2})
    setup.create_all(spark, settings)
    produce(settings, 20)
    query.run(spark, settings)
    return settings


@pytest.fixture
def client(pipeline: Settings):
    with closing(indices.connect(Cluster.of(pipeline))) as client:
        yield client


def produce(settings: Settings, count: int) -> None:
    producer.produce(generator.generate(count, 7, 0, days.end_of_events()), Topic.of(settings))


def verdicts(book: Ledger) -> dict[tuple[str, str], int]:
    return {(f.verdict, f.store): f.count for f in book.findings}


class Walk:
    """The ledger before and after the command that it names."""

    def __init__(self, spark: SparkSession, settings: Settings):
        self.spark, self.settings = spark, settings

    def take(self) -> Ledger:
        return ledger.take(self.spark, self.settings)

    def finds(self, *expected: tuple[str, str, int]) -> Ledger:
        """The ledger differs by exactly this."""
        book = self.take()
        differing = {(f.verdict, f.store): f.count for f in book.findings if f.differs}
        assert differing == {(verdict, store): count for verdict, store, count in expected}
        assert not book.holds
        return book

    def ends(self, book: Ledger) -> None:
        """The commands that it names end it, in the order of the verdicts."""
        for command in dict.fromkeys(f.remedy for f in in_order(book.findings) if f.differs):
            name, *options = shlex.split(command)
            self.run(name, dict(zip(options[::2], options[1::2], strict=True)))
        assert self.take().holds

    def run(self, name: str, given: dict[str, str]) -> None:
        spark, settings = self.spark, self.settings
        if name == "replay":
            replay.replay(spark, settings, given["--from"], given["--to"])
        elif name == "repair":
            repair.repair(spark, settings)
        elif name == "rescue":
            rescue.rescue(spark, settings)
        elif name == "setup":
            setup.create_all(spark, settings)
        elif name == "acknowledge":
            acknowledge.run(spark, settings, int(given["--count"]), given["--reason"], "a person")
        else:
            raise AssertionError(f"no such command here: {name}")


@pytest.fixture
def walk(spark, pipeline) -> Walk:
    walk = Walk(spark, pipeline)
    assert walk.take().findings == []
    return walk


def any_document(client: OpenSearch, settings: Settings) -> dict:
    indices.refresh(client, settings.opensearch_index)
    return client.search(index=settings.opensearch_index, body={"size": 1})["hits"]["hits"][0]


def test_what_waits_is_no_difference_and_blocks_no_mending(spark, pipeline, client, walk):
    hit = any_document(client, pipeline)
    client.delete(index=hit["_index"], id=hit["_id"], params={"refresh": "true"})
    spark.sql(f"DELETE FROM {pipeline.archive_table} WHERE partition = 1 AND offset < 2")
    produce(pipeline, 3)
    book = walk.take()
    assert verdicts(book)["waiting", "Kafka"] == sum(line.waiting for line in book.partitions) == 3
    assert verdicts(book)["missing", "archive and quarantine"] == 2
    missing = next(f for f in book.findings if f.verdict == "missing" and f.store == "archive and quarantine")
    assert missing.remedy == "replay --from 1:0 --to 1:2"
    replay.replay(spark, pipeline, "1:0", "1:2")
    repair.repair(spark, pipeline)
    book = walk.take()
    assert book.holds and verdicts(book) == {("waiting", "Kafka"): 3}
    assert any("waiting in Kafka: 3" in line for line in book.lines())
    query.run(spark, pipeline)
    assert walk.take().findings == []


def test_missing_doubled_and_altered_documents_are_repaired(pipeline, client, walk):
    first = any_document(client, pipeline)
    client.delete(index=first["_index"], id=first["_id"], params={"refresh": "true"})
    walk.ends(walk.finds(("missing", "OpenSearch", 1)))
    hit = any_document(client, pipeline)
    client.index(index=hit["_index"], id="copy", body=hit["_source"], params={"refresh": "true"})
    walk.ends(walk.finds(("doubled", "OpenSearch", 1)))
    client.index(index=hit["_index"], id=hit["_id"], body=hit["_source"] | {"message": "forged"})
    walk.ends(walk.finds(("altered", "archive and OpenSearch", 1)))


def test_what_is_wrong_with_the_alias_is_set_up_again_and_nothing_is_deleted(spark, pipeline, client, walk):
    name, day = pipeline.opensearch_index, any_document(client, pipeline)["_index"]
    client.indices.update_aliases(body={"actions": [{"remove": {"index": day, "alias": name}}]})
    book = walk.finds(("missing", "alias", 1))
    assert day in str(book.as_dict()["verdicts"])
    walk.ends(book)
    client.indices.update_aliases(
        body={"actions": [{"add": {"index": day, "alias": name, "filter": {"term": {"level": "INFO"}}}}]}
    )
    walk.ends(walk.finds(("missing", "alias", 1)))
    client.indices.delete_index_template(name=name)
    walk.ends(walk.finds(("missing", "index template", 1)))
    client.reindex(body={"source": {"index": day}, "dest": {"index": f"{day}-copy"}}, params={"refresh": "true"})
    client.index(index=f"{day}-copy", id="strange", body={"message": "of somebody else"}, params={"refresh": "true"})
    walk.ends(walk.finds(("doubled", "alias", 20), ("unknown document", "alias", 1)))
    assert client.count(index=f"{day}-copy")["count"] == 21


def test_what_kafka_dropped_unread_is_lost_until_a_person_answers_for_it(spark, pipeline, client, walk):
    produce(pipeline, 4)
    kafka_retention.apply(Topic.of(pipeline))
    book = walk.finds(("lost", "archive and quarantine", 4))
    assert verdicts(book)["beyond Kafka", "archive and quarantine"] == 20 == book.earlier
    assert {d.kind for d in book.differences} == {"lost"} and len(book.differences) == 4
    with pytest.raises(LedgerMismatch, match="acknowledge --count 4"):
        book.check()
    with pytest.raises(LedgerMismatch, match="finds 4 lost records, not 3"):
        acknowledge.run(spark, pipeline, 3, "an outage", "a person")
    planned = acknowledge.run(spark, pipeline, 4, "an outage", "a person", dry_run=True)
    assert planned.fact == "nothing was changed; it would be 4 lost records acknowledged by a person"
    walk.ends(walk.take())
    book = walk.take()
    assert (book.lost, book.acknowledged) == (0, 4)
    assert "acknowledged: 4 lost records" in book.lines()

    # A row that is gone now, whose document is there still, is lost only if nobody rescues it.
    spark.sql(f"DELETE FROM {pipeline.archive_table} WHERE partition = 0 AND offset = 3")
    book = walk.finds(("lost", "archive and quarantine", 1), ("unknown document", "OpenSearch", 1))
    assert {(d.partition, d.offset) for d in book.differences} == {(0, 3)}
    walk.ends(book)
    assert walk.take().acknowledged == 4


def test_altered_and_doubled_rows_are_repaired(spark, pipeline, walk):
    table, place = pipeline.archive_table, "partition = 0 AND offset = 1"
    spark.sql(f"UPDATE {table} SET message = 'forged' WHERE {place}")
    walk.ends(walk.finds(("altered", "Kafka and archive", 1), ("altered", "archive and OpenSearch", 1)))
    kafka_retention.apply(Topic.of(pipeline))
    spark.sql(f"INSERT INTO {table} SELECT * FROM {table} WHERE {place}")
    walk.ends(walk.finds(("doubled", "archive and quarantine", 1), ("doubled", "archive", 1)))
