"""The hot leg: documents on their way to OpenSearch, beside the work that makes them."""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import orjson
import pyarrow as pa
from opensearchpy import JSONSerializer

from dualsink.bulk import BulkWriter, Limits, Tally
from dualsink.errors import MappingRefused
from dualsink.events import Refusal
from dualsink.search import connect
from dualsink.settings import Settings

# Lots of documents that may wait or be under way while their maker goes on.
_AHEAD = 2
# Below this many refusals a batch is too small for a share to mean anything.
FEW = 10


@dataclass(frozen=True)
class _Sent:
    """A lot of documents: the records that they were made of, and the promised outcome."""

    records: pa.RecordBatch
    positions: list[int]
    outcome: Future[Tally]


class _Answers(JSONSerializer):
    """Reads answers of thousands of items quickly."""

    def loads(self, s: str) -> Any:
        return orjson.loads(s)


class Sender:
    """Sends documents from a thread of its own; a context manager that ends it, also in the middle of a retry.

    `refused` receives the records of a lot and, by position, why documents were refused for good. `outcomes` counts
    documents created and existing, and requests, retries and bytes; `seconds` is the thread's CPU time.
    """

    def __init__(self, settings: Settings, refused: Callable[[pa.RecordBatch, Mapping[int, Refusal]], None]):
        self._settings = settings
        self._refused = refused
        self._open = ExitStack()
        self._pending: deque[_Sent] = deque()
        self.outcomes: Counter[str] = Counter()
        self.seconds = 0.0

    def __enter__(self) -> "Sender":
        stop = threading.Event()
        client = self._open.enter_context(connect(self._settings, serializer=_Answers()))
        self._writer = BulkWriter(client, limits(self._settings), stop)
        self._thread = self._open.enter_context(ThreadPoolExecutor(1))
        self._open.callback(stop.set)
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()

    def send(self, lines: list[bytes], records: pa.RecordBatch, positions: list[int]) -> None:
        """Hand over bulk lines, made of the records at these positions; waits while too many are under way.

        Raises what BulkWriter raised for an earlier lot.
        """
        self._pending.append(_Sent(records, positions, self._thread.submit(self._write, lines)))
        while len(self._pending) > _AHEAD:
            self._settle(self._pending.popleft())

    def drain(self) -> None:
        """Wait until all is done. Raises what BulkWriter raised."""
        while self._pending:
            self._settle(self._pending.popleft())

    def _write(self, lines: list[bytes]) -> Tally:
        began = time.thread_time()
        tally = self._writer.write(lines)
        self.seconds += time.thread_time() - began
        return tally

    def _settle(self, sent: _Sent) -> None:
        tally = sent.outcome.result()
        self.outcomes.update(tally.counts)
        if tally.refused:
            reasons = {sent.positions[at]: Refusal(reason, detail) for at, reason, detail in tally.refused}
            self._refused(sent.records, reasons)


def limits(settings: Settings) -> Limits:
    """Sizes of a bulk request and patience, as the settings say."""
    return Limits(
        settings.bulk_max_bytes,
        settings.bulk_max_documents,
        settings.retry_deadline_seconds,
        settings.retry_cap_seconds,
    )


def check_refusals(refused: Mapping[str, int], documents: int, share: float) -> None:
    """Raise MappingRefused when more than a share of the documents (and more than 10) was refused for good.

    Then the mapping is wrong, not the data. `refused` counts by error type.
    """
    count = sum(refused.values())
    if count > max(FEW, share * documents):
        reasons = ", ".join(f"{reason} {number}" for reason, number in sorted(refused.items()))
        raise MappingRefused(
            f"OpenSearch refused {count} of {documents} documents, over {share:.0%}: the mapping is wrong, not the "
            f"data ({reasons}). Nothing was committed. Compare the index template."
        )
