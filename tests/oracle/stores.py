"""The three stores as they are, read with other libraries than the product's own readers, and none of its code."""

import json
import re
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from uuid import uuid4

import pyarrow as pa
import requests
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from opensearchpy import OpenSearch
from pyiceberg.catalog import CommitTableResponse
from pyiceberg.catalog.noop import NoopCatalog
from pyiceberg.expressions import AlwaysTrue
from pyiceberg.io.pyarrow import ArrowScan, write_file
from pyiceberg.partitioning import PartitionFieldValue, PartitionKey
from pyiceberg.serializers import ToOutputFile
from pyiceberg.table import StaticTable, Table, WriteTask
from pyiceberg.table.update import SetSnapshotRefUpdate, update_table_metadata
from tests.oracle.world import Pipeline

UID = re.compile(r"u\d{6}")
"""What every event of a test carries in it, and by which all stores are compared."""
CONTENT = ("log_id", "timestamp", "level", "service", "host", "message", "stack_trace", "trace_id", "span_id")
Row = dict[str, Any]


def uid_of(content: Any) -> str:
    """The event that bytes, a text, a row or a document is of; empty where it is of none."""
    text = content.decode(errors="replace") if isinstance(content, bytes) else str(content)
    found = UID.search(text)
    return found.group() if found else ""


def by_uid(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Rows by their events."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row["uid"], []).append(row)
    return found


@dataclass(frozen=True)
class Snapshot:
    """What all stores hold at a moment when no command runs: rows by their events."""

    kafka: dict[str, list[Row]]
    archive: dict[str, list[Row]]
    quarantine: dict[str, list[Row]]
    documents: dict[str, list[Row]]


class Topic:
    """The topic, as a reader of committed records sees it."""

    def __init__(self, pipeline: Pipeline):
        self.name = pipeline.topic
        self.servers = pipeline.world.about["endpoints"]["kafka"]

    def admin(self) -> KafkaAdminClient:
        """A client to create, cut and delete it."""
        return KafkaAdminClient(bootstrap_servers=self.servers)

    def records(self) -> list[Row]:
        """Every committed record that is still there."""
        options = {"isolation_level": "read_committed", "consumer_timeout_ms": 3000, "fetch_max_wait_ms": 100}
        with closing(KafkaConsumer(bootstrap_servers=self.servers, enable_auto_commit=False, **options)) as consumer:
            parts = [TopicPartition(self.name, p) for p in sorted(consumer.partitions_for_topic(self.name) or ())]
            ends = consumer.end_offsets(parts) if parts else {}
            consumer.assign(parts)
            consumer.seek_to_beginning(*parts)
            return [_record(r) for r in _until(consumer, ends)]

    def ends(self) -> dict[int, tuple[int, int]]:
        """First and next offset of every partition."""
        with closing(KafkaConsumer(bootstrap_servers=self.servers)) as consumer:
            parts = [TopicPartition(self.name, p) for p in sorted(consumer.partitions_for_topic(self.name) or ())]
            first, last = consumer.beginning_offsets(parts), consumer.end_offsets(parts)
            return {tp.partition: (first[tp], last[tp]) for tp in parts}

    def id(self) -> str:
        """The topic's id, which tells it from an earlier one of this name."""
        with closing(self.admin()) as admin:
            return str(admin.describe_topics([self.name])[0]["topic_id"])


def _until(consumer: KafkaConsumer, ends: dict[TopicPartition, int]) -> Iterable[Any]:
    """Records up to the given ends. Aborted ones and control records move the position and are not returned."""
    deadline = time.monotonic() + 30
    while any(consumer.position(tp) < end for tp, end in ends.items()):
        assert time.monotonic() < deadline, "Kafka did not give all of its records within 30 s"
        for records in consumer.poll(timeout_ms=200).values():
            yield from records


def _record(record: Any) -> Row:
    return {
        "uid": uid_of(record.value),
        "partition": record.partition,
        "offset": record.offset,
        "kafka_timestamp": record.timestamp,
        "value": record.value,
    }


class Lake:
    """Tables of the archive: Nessie's REST interface for the name, PyIceberg for the rows."""

    def __init__(self, pipeline: Pipeline):
        about, self._keys = pipeline.world.about, pipeline.world.environment
        self._uri = about["catalog"]["uri"]
        self._ref = about["catalog"]["ref"]
        names = about["credentials"]
        self._storage = {
            "s3.endpoint": about["endpoints"]["s3"],
            "s3.region": about["catalog"]["s3_region"],
            "s3.access-key-id": self._keys[names["s3_access_key_env"]],
            "s3.secret-access-key": self._keys[names["s3_secret_key_env"]],
        }
        self._namespace = about["tables"]["archive"].split(".")[1]
        self.archive, self.quarantine = pipeline.table, f"{pipeline.table}_quarantine"
        self.audit = f"{pipeline.table}_audit"

    def rows(self, table: str) -> list[Row]:
        """Every row of a table; none where there is no table."""
        found = self.table(table)
        return [_row(row) for row in found.scan().to_arrow().to_pylist()] if found else []

    def table(self, name: str) -> Table | None:
        """The table as Nessie has it now; it can be written to."""
        answer = requests.get(self._address(name), timeout=30)
        if answer.status_code == 404:
            return None
        content = answer.json()["content"]
        static = StaticTable.from_metadata(content["metadataLocation"], self._storage)
        catalog = _Nessie(self._uri, self._ref, [self._namespace, name], content["id"])
        return Table((self._namespace, name), static.metadata, static.metadata_location, static.io, catalog)

    def rewrite(self, name: str, edit: Callable[[list[Row]], list[Row]]) -> None:
        """Replace the rows of each data file by what `edit` makes of them, in one commit."""
        table = self.table(name)
        with table.transaction() as change, change.update_snapshot().overwrite() as files:
            for task in table.scan().plan_files():
                before = ArrowScan(table.metadata, table.io, table.schema(), AlwaysTrue()).to_table([task])
                after = pa.Table.from_pylist(edit(before.to_pylist()), before.schema)
                if after != before:
                    files.delete_data_file(task.file)
                    for file in _written(table, after) if after.num_rows else ():
                        files.append_data_file(file)

    def head(self) -> str:
        """The branch's newest commit."""
        return self._reference()["hash"]

    def reset(self, commit: str) -> None:
        """Let the branch end at an older commit: all tables of all pipelines are as they were then."""
        now = self._reference()
        answer = requests.put(
            f"{self._uri}/trees/{self._ref}@{now['hash']}", params={"type": "BRANCH"}, timeout=30,
            json={"type": "BRANCH", "name": self._ref, "hash": commit},
        )  # fmt: skip
        assert answer.ok, answer.text

    def _reference(self) -> Row:
        return requests.get(f"{self._uri}/trees/{self._ref}", timeout=30).json()["reference"]

    def roll_back(self, name: str) -> None:
        """Make the parent of a table's snapshot the current one, as `rollback_to_snapshot` does."""
        table = self.table(name)
        parent = table.current_snapshot().parent_snapshot_id
        table.catalog.commit_table(
            table, (), (SetSnapshotRefUpdate(ref_name="main", type="branch", snapshot_id=parent),)
        )

    def _address(self, name: str) -> str:
        return f"{self._uri}/trees/{self._ref}/contents/{self._namespace}.{name}"


def _row(row: Row) -> Row:
    return {"uid": uid_of(row.get("log_id") or row.get("message") or row.get("value")), **row}


def _refused(pattern: Row, row: Row, value: bytes) -> Row:
    """A row of the quarantine for a row of the archive, after the pattern of another one."""
    place = {name: row[name] for name in pattern if row.get(name) is not None}
    return pattern | place | {"value": value, "reason": "wrong_type", "detail": "an older parser said so"}


def _written(table: Table, rows: pa.Table) -> Iterable[Any]:
    """A new data file of rows of one day."""
    (field,) = table.spec().fields
    moment = rows[table.schema().find_column_name(field.source_id)][0].as_py()
    day = PartitionFieldValue(field, (moment.date() - date(1970, 1, 1)).days)
    key = PartitionKey([day], table.spec(), table.schema())
    task = WriteTask(uuid4(), 0, table.schema(), rows.to_batches(), partition_key=key)
    return write_file(table.io, table.metadata, iter([task]))


class _Nessie(NoopCatalog):
    """As much of a catalogue as a commit to one table needs."""

    def __init__(self, uri: str, ref: str, key: list[str], content_id: str):
        super().__init__("nessie")
        self._tree, self._key, self._id = f"{uri}/trees/{ref}", key, content_id
        self._branch = requests.get(self._tree, timeout=30).json()["reference"]

    def commit_table(self, table: Table, requirements: Any, updates: Any) -> CommitTableResponse:
        """Write the new metadata and let the name point to it."""
        metadata = update_table_metadata(table.metadata, updates, metadata_location=table.metadata_location)
        place = f"{metadata.location}/metadata/99999-{uuid4()}.metadata.json"
        ToOutputFile.table_metadata(metadata, table.io.new_output(place))
        content = {
            "type": "ICEBERG_TABLE",
            "id": self._id,
            "metadataLocation": place,
            "snapshotId": metadata.current_snapshot_id,
            "schemaId": metadata.current_schema_id,
            "specId": metadata.default_spec_id,
            "sortOrderId": metadata.default_sort_order_id,
        }
        put = {"type": "PUT", "key": {"elements": self._key}, "content": content}
        answer = requests.post(
            f"{self._tree}@{self._branch['hash']}/history/commit",
            json={"commitMeta": {"message": "an adversary"}, "operations": [put]},
            timeout=30,
        )
        assert answer.ok, answer.text
        return CommitTableResponse(metadata=metadata, metadata_location=place)


class Search:
    """What people find: the documents behind the alias."""

    def __init__(self, pipeline: Pipeline):
        self.alias = pipeline.alias
        self.client = OpenSearch(pipeline.world.about["endpoints"]["opensearch"], timeout=60, max_retries=0)

    def documents(self) -> list[Row]:
        """Every document behind the alias; none where there is no alias. Every shard must answer."""
        if not self.client.indices.exists_alias(name=self.alias):
            return []
        self.client.indices.refresh(index=self.alias)
        body = {"size": 10_000, "query": {"match_all": {}}, "track_total_hits": True}
        found = self.client.search(index=self.alias, body=body)
        assert not found["_shards"]["failed"] and not found["timed_out"], found["_shards"]
        hits = found["hits"]["hits"]
        assert len(hits) == found["hits"]["total"]["value"], "more documents than one page of the oracle holds"
        return [_document(hit) for hit in hits]

    def indices(self) -> list[str]:
        """Every index whose name begins as the alias does, in the alias or not."""
        return sorted(self.client.indices.get(index=f"{self.alias}-*"))

    def behind(self) -> list[str]:
        """The indices in the alias."""
        there = self.client.indices.exists_alias(name=self.alias)
        return sorted(self.client.indices.get_alias(name=self.alias)) if there else []


def _document(hit: Row) -> Row:
    source = hit["_source"]
    return {"uid": uid_of(source.get("log_id") or source), "index": hit["_index"], "id": hit["_id"], **source}


class Stores:
    """All stores of a pipeline."""

    def __init__(self, pipeline: Pipeline):
        self.topic, self.lake, self.search = Topic(pipeline), Lake(pipeline), Search(pipeline)

    def now(self) -> Snapshot:
        """What they hold now, of the quarantine what is not resolved."""
        kept = [row for row in self.lake.rows(self.lake.quarantine) if row["resolved_at"] is None]
        return Snapshot(
            by_uid(self.topic.records()),
            by_uid(self.lake.rows(self.lake.archive)),
            by_uid(kept),
            by_uid(self.search.documents()),
        )

    # -- what an adversary does to them --------------------------------------------------------------

    def drop_rows(self, uids: Iterable[str]) -> None:
        """A wrong DELETE on the archive."""
        gone = set(uids)
        self.lake.rewrite(self.lake.archive, lambda rows: [row for row in rows if uid_of(row) not in gone])

    def alter_rows(self, uids: Iterable[str], **fields: Any) -> None:
        """A wrong UPDATE on the archive."""
        them = set(uids)
        edit = lambda rows: [row | fields if uid_of(row) in them else row for row in rows]  # noqa: E731
        self.lake.rewrite(self.lake.archive, edit)

    def insert_row(self, uid: str, **fields: Any) -> None:
        """A row that somebody made up, after the pattern of an event's."""

        def edit(rows: list[Row]) -> list[Row]:
            return rows + [row | fields for row in rows if uid_of(row) == uid]

        self.lake.rewrite(self.lake.archive, edit)

    def alter_quarantined(self, uids: Iterable[str], **fields: Any) -> None:
        """A wrong UPDATE on the quarantine."""
        them = set(uids)
        edit = lambda rows: [row | fields if uid_of(row["value"]) in them else row for row in rows]  # noqa: E731
        self.lake.rewrite(self.lake.quarantine, edit)

    def double_rows(self, uids: Iterable[str]) -> None:
        """A backfill that ran twice."""
        them = set(uids)
        self.lake.rewrite(self.lake.archive, lambda rows: rows + [row for row in rows if uid_of(row) in them])

    def drop_documents(self, uids: Iterable[str]) -> None:
        """Documents deleted by hand."""
        for document in self._documents(uids):
            self.search.client.delete(index=document["index"], id=document["id"], refresh=True)

    def alter_documents(self, uids: Iterable[str], **fields: Any) -> None:
        """Documents updated by hand."""
        for document in self._documents(uids):
            body = {"doc": fields}
            self.search.client.update(index=document["index"], id=document["id"], body=body, refresh=True)

    def move_documents(self, uids: Iterable[str], index: str, **fields: Any) -> None:
        """Documents put into another index of the alias, perhaps with other values."""
        for document in self._documents(uids):
            found = self.search.client.get(index=document["index"], id=document["id"])
            body = found["_source"] | fields
            self.search.client.index(index=index, id=document["id"], body=body, refresh=True)
            self.search.client.delete(index=document["index"], id=document["id"], refresh=True)

    def replace_document(self, place: str, content: str) -> None:
        """A document put in the place of another one, which it claims to be."""
        (one,), (other,) = self._documents([place]), self._documents([content])
        where = {name: one[name] for name in ("topic_id", "partition", "offset", "position")}
        body = self.search.client.get(index=other["index"], id=other["id"])["_source"] | where
        self.search.client.index(index=one["index"], id=one["id"], body=body, refresh=True)
        self.search.client.delete(index=other["index"], id=other["id"], refresh=True)

    def route_documents(self, uids: Iterable[str]) -> None:
        """Documents put a second time under their ids, by a routing that leads to another shard."""
        client = self.search.client
        for document in self._documents(uids):
            place = {"index": document["index"], "id": document["id"]}
            body, home = client.get(**place)["_source"], self._shard(place["index"], place["id"])
            routing = next(str(n) for n in range(100) if self._shard(place["index"], str(n)) != home)
            client.index(**place, body=body, routing=routing, refresh=True)

    def _shard(self, index: str, routing: str) -> int:
        return self.search.client.search_shards(index=index, routing=routing)["shards"][0][0]["shard"]

    def _documents(self, uids: Iterable[str]) -> list[Row]:
        them = set(uids)
        return [document for document in self.search.documents() if document["uid"] in them]

    def hold_back(self, uids: Iterable[str], values: dict[str, bytes]) -> None:
        """Events moved from both stores to the quarantine, as if an older parser had refused them.

        It takes a refused record there, after whose row theirs are made.
        """
        self.quarantine(uids, values, "parse")
        self.drop_documents(uids)
        self.drop_rows(uids)

    def quarantine(self, uids: Iterable[str], values: dict[str, bytes], stage: str) -> None:
        """Archived events put into the quarantine, after the pattern of a refused record there."""
        them = [row for row in self.lake.rows(self.lake.archive) if row["uid"] in set(uids)]

        def edit(rows: list[Row]) -> list[Row]:
            return rows + [_refused(rows[0], row, values[row["uid"]]) | {"stage": stage} for row in them if rows]

        self.lake.rewrite(self.lake.quarantine, edit)

    def truncate(self) -> None:
        """Kafka's retention takes everything that is there."""
        with closing(self.topic.admin()) as admin:
            admin.delete_records({TopicPartition(self.topic.name, p): e for p, (_, e) in self.topic.ends().items()})

    def recreate_topic(self, partitions: int = 2) -> None:
        """The topic deleted, and another one of its name created."""
        old = self.topic.id()
        with closing(self.topic.admin()) as admin:
            admin.delete_topics([self.topic.name])
            _retry(lambda: admin.create_topics({self.topic.name: {"num_partitions": partitions,
                "replication_factor": 1}}, wait_for_metadata=True))  # fmt: skip
        assert self.topic.id() != old

    def add_partitions(self, total: int) -> None:
        """More partitions for the topic."""
        with closing(self.topic.admin()) as admin:
            admin.create_partitions({self.topic.name: total})
        _retry(lambda: self.topic.ends()[total - 1])


def _retry(work: Callable[[], Any], patience: float = 20) -> Any:
    deadline = time.monotonic() + patience
    while True:
        try:
            return work()
        except Exception:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def attributes_of(row: Row) -> Any:
    """The attributes of a row or a document as an object."""
    found = row.get("attributes")
    return json.loads(found) if isinstance(found, str) else found


def content_of(row: Row) -> Row:
    """An event's content of a row of the archive or a document, comparable: times as UTC, nothing for null."""
    found = {name: row.get(name) for name in CONTENT} | {"attributes": attributes_of(row)}
    moment = found["timestamp"]
    found["timestamp"] = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return {name: value for name, value in found.items() if value is not None}


def utc(moment: datetime) -> str:
    """A time as the test writes it into its events."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
