"""What the test itself produced, what Kafka acknowledged, and what must therefore be true of the stores."""

import json
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import uuid4

from kafka import KafkaProducer
from tests.oracle.stores import Row, Snapshot, Stores, Topic, content_of, utc

_NUMBERS = count(1)
IMMENSE = 40_000
"""Bytes of an attribute that no index takes as one term."""


@dataclass(frozen=True)
class Sent:
    """A record that Kafka acknowledged. `value` is None for what is no event; `settled`: a stream has read it."""

    uid: str
    partition: int
    offset: int
    topic_id: str
    at: datetime
    content: Mapping[str, Any] | None
    committed: bool = True
    settled: bool = False

    @property
    def coordinates(self) -> tuple[int, int]:
        """Partition and offset."""
        return self.partition, self.offset

    @property
    def immense(self) -> bool:
        """Whether an index cannot take it whole."""
        return bool(self.content) and len(json.dumps(self.content)) > IMMENSE


class Memory:
    """The producer of a test, and its notes."""

    def __init__(self, stores: Stores):
        self._stores = stores
        self.events: dict[str, Sent] = {}
        self.gone: set[str] = set()

    # -- producing -----------------------------------------------------------------------------------

    def produce(
        self,
        number: int = 1,
        age: timedelta = timedelta(),
        partition: int | None = None,
        created: int | None = None,
        bad: bool = False,
        outcome: str = "",
        **fields: Any,
    ) -> list[str]:
        """Send events and note those that Kafka acknowledged; returns their names.

        `age` is how long ago they happened, `created` their CreateTime in ms. `outcome` is empty for plain records,
        `commit` or `abort` for a transaction of all of them. `partition` None takes each in turn.
        """
        now = datetime.now(UTC)
        drafts = [self._draft(i, now - age, partition, bad, fields) for i in range(number)]
        self._send(drafts, created, outcome)
        return [draft.uid for draft in drafts]

    def _draft(self, i: int, at: datetime, partition: int | None, bad: bool, fields: Mapping[str, Any]) -> Sent:
        uid = f"u{next(_NUMBERS):06}"
        place = i % 2 if partition is None else partition
        return Sent(uid, place, -1, "", at, None if bad else _event(uid, at, fields))

    def _send(self, drafts: list[Sent], created: int | None, outcome: str) -> None:
        topic, options = self._stores.topic, {"transactional_id": uuid4().hex} if outcome else {}
        with closing(
            KafkaProducer(bootstrap_servers=topic.servers, acks="all", max_request_size=2**24, **options)
        ) as p:
            if outcome:
                p.init_transactions()
                p.begin_transaction()
            self._note(p, topic, drafts, created, outcome != "abort")
            if outcome:
                p.commit_transaction() if outcome == "commit" else p.abort_transaction()

    def _note(self, producer: Any, topic: Topic, drafts: list[Sent], created: int | None, committed: bool) -> None:
        promised = [
            producer.send(topic.name, _value(d), key=b"oracle", partition=d.partition, timestamp_ms=created)
            for d in drafts
        ]
        producer.flush()
        topic_id = topic.id()
        for draft, promise in zip(drafts, promised, strict=True):
            offset = promise.get(30).offset
            self.events[draft.uid] = replace(draft, offset=offset, topic_id=topic_id, committed=committed)

    def values(self, uids: Iterable[str]) -> dict[str, bytes]:
        """The bytes that were sent."""
        return {uid: _value(self.events[uid]) for uid in uids}

    # -- what must be true ---------------------------------------------------------------------------

    def settle(self) -> None:
        """Note that a stream which ended well has read everything so far."""
        readable = self._stores.topic.records()
        for uid in {record["uid"] for record in readable} & self.events.keys():
            self.events[uid] = replace(self.events[uid], settled=True)

    @property
    def acknowledged(self) -> dict[str, Sent]:
        """Committed events, less those that went lawfully."""
        return {uid: sent for uid, sent in self.events.items() if sent.committed and uid not in self.gone}

    @property
    def unsettled(self) -> set[str]:
        """Committed events that no stream has certainly read."""
        return {uid for uid, sent in self.acknowledged.items() if not sent.settled}

    def waiting(self, now: Snapshot) -> set[str]:
        """Of those, the ones that a stream can still read."""
        return self.unsettled & now.kafka.keys()

    def is_older(self, uid: str, age: timedelta) -> bool:
        """Whether an event happened longer ago than that."""
        return uid in self.events and self.events[uid].at < datetime.now(UTC) - age

    def nowhere(self, now: Snapshot) -> set[str]:
        """Acknowledged events that no store holds."""
        return self.acknowledged.keys() - now.archive.keys() - now.quarantine.keys() - now.documents.keys()

    def whole(self, now: Snapshot, hot_days: int) -> set[str]:
        """Events that the archive holds, and of which nothing untrue can be said."""
        return {
            uid for uid, sent in self.acknowledged.items() if uid in now.archive and not [*_wrongs(sent, now, hot_days)]
        }

    def untrue(self, now: Snapshot, hot_days: int) -> list[str]:
        """Why a ledger that says `holds` would be wrong; nothing where it may say so."""
        known = self.acknowledged
        stranger = [
            f"{store} holds {uid or 'something unknown'}, which nobody committed"
            for store, held in (("archive", now.archive), ("quarantine", now.quarantine), ("alias", now.documents))
            for uid in held.keys() - known.keys() - self.gone
        ]
        return stranger + [f"{uid}: {why}" for uid, sent in known.items() for why in _wrongs(sent, now, hot_days)]


def _event(uid: str, at: datetime, fields: Mapping[str, Any]) -> dict[str, Any]:
    named = {"log_id": uid, "timestamp": utc(at), "level": "INFO", "service": "oracle", "host": "h1", "message": "m"}
    return {name: value for name, value in (named | dict(fields)).items() if value is not None}


def _value(sent: Sent) -> bytes:
    return json.dumps(sent.content).encode() if sent.content else f"no event, {sent.uid}".encode()


def _wrongs(sent: Sent, now: Snapshot, hot_days: int) -> Iterable[str]:
    rows, kept, documents = (found.get(sent.uid, []) for found in (now.archive, now.quarantine, now.documents))
    if not sent.settled and sent.uid in now.kafka and not (rows or kept):
        return  # It waits for the stream.
    refused = [row for row in kept if row["stage"] == "hot"]
    if len(rows) + len(kept) - len(refused) != 1:
        yield f"{len(rows)} rows in the archive and {len(kept) - len(refused)} in the quarantine"
    if sent.content is None and (rows or documents):
        yield "is no event, and a store says that it is"
    if sent.content is not None:
        yield from (f"altered in the archive: {row}" for row in rows if content_of(row) != _expected(sent))
        yield from (f"altered in the alias: {d}" for d in documents if not _is_copy(d, sent))
    least = 1 if rows and not refused and _is_hot(sent, hot_days) else 0
    if not least <= len(documents) <= 1:
        yield f"{len(documents)} documents behind the alias"


def _is_hot(sent: Sent, hot_days: int) -> bool:
    return (datetime.now(UTC).date() - sent.at.date()).days <= hot_days


def _expected(sent: Sent) -> Row:
    """An event's content as a row of the archive has it; what has no column is an attribute."""
    named = content_of(sent.content)
    more = {k: v for k, v in sent.content.items() if k not in named and k != "attributes"}
    return named | ({"attributes": more} if more else {})


def _is_copy(document: Row, sent: Sent) -> bool:
    found, expected = content_of(document), _expected(sent)
    if sent.immense:
        found.pop("attributes", None)
        expected.pop("attributes", None)
    return found == expected
