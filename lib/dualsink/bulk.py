"""Writing documents to OpenSearch: one `_bulk` request, its per-item outcomes, retries and refusals."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum

from opensearchpy import OpenSearch
from opensearchpy.exceptions import ConnectionError as NoConnection
from opensearchpy.exceptions import TransportError
from tenacity import (
    Retrying,
    retry_if_exception_type,
    sleep_using_event,
    stop_after_delay,
    stop_when_event_set,
    wait_random_exponential,
)

from dualsink.errors import DeploymentError, ServiceUnavailable

RETRIED = frozenset({429, 502, 503, 504})
# A 400 that speaks of the cluster or the index, not of the document.
NOT_THE_DOCUMENT = frozenset({"validation_exception", "invalid_index_name_exception", "index_closed_exception"})
_ANSWER = "errors,items.*.status,items.*.error.type,items.*.error.reason,items.*.error.caused_by"


class Outcome(Enum):
    """What becomes of one document after one answer."""

    CREATED = "created"
    EXISTING = "existing"
    RETRY = "retry"
    REFUSED = "refused"


@dataclass(frozen=True)
class Limits:
    """Sizes of a request and patience with the server (seconds)."""

    max_bytes: int
    max_documents: int
    deadline: float
    cap: float


@dataclass
class Tally:
    """Counts of one writer's work; `refused` holds (position, reason, detail) of documents refused for good."""

    created: int = 0
    existing: int = 0
    requests: int = 0
    retries: int = 0
    bytes: int = 0
    refused: list[tuple[int, str, str]] = field(default_factory=list)

    @property
    def counts(self) -> dict[str, int]:
        """The counts by name."""
        return {name: count for name, count in vars(self).items() if name != "refused"}


class _Busy(Exception):
    """Some documents must be sent again."""


def outcome_of(status: int, error_type: str = "", reason: str = "") -> Outcome:
    """The outcome of one item of a bulk answer.

    Raises DeploymentError where the fault is the deployment's (credentials, missing index, cluster block):
    such documents must never be quarantined.
    """
    if status in (200, 201):
        return Outcome.CREATED
    if status == 409:
        return Outcome.EXISTING
    if error_type == "cluster_block_exception" or status in (401, 403, 404) or error_type in NOT_THE_DOCUMENT:
        raise DeploymentError(f"OpenSearch refuses to write ({status} {error_type}): {reason}")
    if status == 400:
        return Outcome.REFUSED
    if status in RETRIED or status >= 500:
        return Outcome.RETRY
    raise DeploymentError(f"OpenSearch answered an item with an unknown status {status} {error_type}: {reason}")


class BulkWriter:
    """Sends bulk lines until each document is stored, was there already, or is refused for good.

    Setting `stop` ends it early: it then gives up at the next retry.
    """

    def __init__(self, client: OpenSearch, limits: Limits, stop: threading.Event | None = None):
        self._client = client
        self._limits = limits
        self._stop = stop or threading.Event()

    def write(self, lines: Sequence[bytes]) -> Tally:
        """Write all of `lines`, each the two lines of one document, and count what came of them.

        Raises ServiceUnavailable when the server stays busy or away past the deadline, DeploymentError when it
        refuses the whole request. Positions in the tally's `refused` are positions in `lines`.
        """
        tally = Tally()
        for positions in slices(lines, self._limits):
            self._write_slice(lines, positions, tally)
        return tally

    def _write_slice(self, lines: Sequence[bytes], positions: Sequence[int], tally: Tally) -> None:
        pending = positions
        try:
            for attempt in self._attempts():
                with attempt:
                    tally.retries += attempt.retry_state.attempt_number > 1
                    try:
                        items = self._send(b"".join([lines[i] for i in pending]), tally)
                    except _TooLarge:
                        return self._halve(lines, pending, tally)
                    pending = _settle(items, pending, tally)
                    if pending:
                        raise _Busy(f"{len(pending)} documents answered with 429 or 5xx")
        except _Busy as busy:
            raise ServiceUnavailable(
                f"OpenSearch did not take {len(pending)} documents within {self._limits.deadline:g} s: {busy}. "
                "Nothing is lost: the batch is replayed by the next run."
            ) from None

    def _attempts(self) -> Retrying:
        return Retrying(
            retry=retry_if_exception_type(_Busy),
            stop=stop_after_delay(self._limits.deadline) | stop_when_event_set(self._stop),
            wait=wait_random_exponential(multiplier=0.25, max=self._limits.cap),
            sleep=sleep_using_event(self._stop),
            reraise=True,
        )

    def _halve(self, lines: Sequence[bytes], positions: Sequence[int], tally: Tally) -> None:
        if len(positions) == 1:
            tally.refused.append((positions[0], "document_too_large", "413: over the server's request limit"))
            return
        middle = len(positions) // 2
        self._write_slice(lines, positions[:middle], tally)
        self._write_slice(lines, positions[middle:], tally)

    def _send(self, body: bytes, tally: Tally) -> list[dict]:
        tally.requests += 1
        tally.bytes += len(body)
        try:
            answer = self._client.transport.perform_request(
                "POST", "/_bulk", params={"filter_path": _ANSWER}, body=body, headers=_NDJSON
            )
        except NoConnection as error:
            raise _Busy(f"no answer ({type(error).__name__})") from None
        except TransportError as error:
            raise _request_fault(error) from None
        return [next(iter(item.values())) for item in answer["items"]]


class _TooLarge(Exception):
    """The server's limit on a request was hit."""


_NDJSON = {"content-type": "application/x-ndjson"}


def _request_fault(error: TransportError) -> Exception:
    if error.status_code == 413:
        return _TooLarge()
    if error.error == "cluster_block_exception" or error.status_code not in RETRIED:
        return DeploymentError(f"OpenSearch refuses bulk requests ({error.status_code} {error.error}).")
    return _Busy(f"answered {error.status_code}")


def _settle(items: list[dict], positions: Sequence[int], tally: Tally) -> list[int]:
    """Count the items of an answer; returns the positions to send again."""
    again = []
    for position, item in zip(positions, items, strict=True):
        status = item["status"]
        if status == 201:
            tally.created += 1
            continue
        error = item.get("error", {})
        outcome = outcome_of(status, error.get("type", ""), error.get("reason", ""))
        if outcome is Outcome.CREATED:
            tally.created += 1
        elif outcome is Outcome.EXISTING:
            tally.existing += 1
        elif outcome is Outcome.REFUSED:
            tally.refused.append((position, error.get("type", "refused"), _cause(error)))
        else:
            again.append(position)
    return again


def _cause(error: dict) -> str:
    """Types of the error and its causes; their texts quote the document, so they stay out."""
    types = []
    while error:
        types.append(error.get("type", "unknown"))
        error = error.get("caused_by")
    return " <- ".join(types)


def slices(lines: Sequence[bytes], limits: Limits) -> Iterator[range]:
    """Positions of `lines` that fit one request; a document over the byte limit travels alone."""
    start = size = 0
    for i, line in enumerate(lines):
        if i > start and (size + len(line) > limits.max_bytes or i - start == limits.max_documents):
            yield range(start, i)
            start, size = i, 0
        size += len(line)
    if lines:
        yield range(start, len(lines))
