"""Hot leg of a batch: documents sent beside their making."""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import orjson
from opensearchpy import JSONSerializer

from dualsink.errors import MappingRefused
from dualsink.events.model import Refusal
from dualsink.opensearch.bulk import MAPPING_REASONS, BulkWriter, Tally
from dualsink.opensearch.cluster import Cluster
from dualsink.opensearch.index import connect
from dualsink.opensearch.limits import Limits

# Lots of documents that may wait or be under way while their maker goes on.
_AHEAD = 2
# Below this many refusals a batch is too small for a share to mean anything.
FEW = 10


@dataclass(frozen=True)
class _Sent:
    """Chunk of documents: their origin, and the promised outcome."""

    origin: Any
    rows: list[int]
    outcome: Future[Tally]


class _Answers(JSONSerializer):
    """Reads answers of thousands of items quickly."""

    def loads(self, s: str) -> Any:
        return orjson.loads(s)


class Sender:
    """Sender of documents, in a thread of its own.

    `refused` receives the origin of a chunk and, by row, why documents were refused for good. `outcomes` counts
    documents created and existing, and requests, retries and bytes; `seconds` is the thread's CPU time.
    """

    def __init__(self, cluster: Cluster, limits: Limits, refused: Callable[[Any, Mapping[int, Refusal]], None]):
        self._cluster = cluster
        self._limits = limits
        self._refused = refused
        self._open = ExitStack()
        self._pending: deque[_Sent] = deque()
        self.outcomes: Counter[str] = Counter()
        self.seconds = 0.0

    def __enter__(self) -> "Sender":
        stop = threading.Event()
        client = self._open.enter_context(connect(self._cluster, serializer=_Answers()))
        self._writer = BulkWriter(client, self._limits, stop)
        self._thread = self._open.enter_context(ThreadPoolExecutor(1))
        self._open.callback(stop.set)
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()

    def send(self, lines: list[bytes], origin: Any, rows: list[int]) -> None:
        """Hand over the bulk lines of some rows.

        They are `rows` of `origin`. Waits while too many are under way. Raises what BulkWriter raised for an earlier
        chunk.
        """
        self._pending.append(_Sent(origin, rows, self._thread.submit(self._write, lines)))
        while len(self._pending) > _AHEAD:
            self._settle(self._pending.popleft())

    def drain(self) -> None:
        """Wait until all is done. Raises what BulkWriter raised."""
        while self._pending:
            self._settle(self._pending.popleft())

    def _write(self, lines: list[bytes]) -> Tally:
        start = time.thread_time()
        tally = self._writer.write(lines)
        self.seconds += time.thread_time() - start
        return tally

    def _settle(self, sent: _Sent) -> None:
        tally = sent.outcome.result()
        self.outcomes.update(tally.counts)
        if tally.refused:
            reasons = {sent.rows[at]: Refusal(reason, detail) for at, reason, detail in tally.refused}
            self._refused(sent.origin, reasons)


def check_refusals(refused: Mapping[str, int], documents: int, share: float) -> None:
    """Raise MappingRefused if the mapping refuses too many documents.

    More than a share of them, and more than 10. `refused` counts by reason. What a document's own values cause never
    counts: however many there are, they are data.
    """
    causes = {reason: number for reason, number in refused.items() if reason in MAPPING_REASONS}
    count = sum(causes.values())
    if count > max(FEW, share * documents):
        reasons = ", ".join(f"{reason} {number}" for reason, number in sorted(causes.items()))
        raise MappingRefused(
            f"OpenSearch refused {count} of {documents} documents, over {share:.0%}: the mapping is wrong, not the "
            f"data ({reasons}). The archive has these events. Compare the mapping of their days with the index "
            "template, reindex the days, then send the events again: `redrive` what the stream sent, or `rehydrate`."
        )
