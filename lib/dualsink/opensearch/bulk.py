"""Bulk writes: requests, per-item outcomes, retries and refusals."""

import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum

import orjson
from opensearchpy import OpenSearch
from opensearchpy.exceptions import AuthorizationException, TransportError
from opensearchpy.exceptions import ConnectionError as NoConnection
from tenacity import (
    Retrying,
    retry_if_exception_type,
    sleep_using_event,
    stop_after_delay,
    stop_when_event_set,
    wait_random_exponential,
)

from dualsink.errors import DeploymentError, ServiceUnavailable
from dualsink.opensearch.index import MAPPING
from dualsink.opensearch.limits import Limits

RETRIED = frozenset({429, 502, 503, 504})
# A 400 that speaks of the cluster or the index, not of the document.
NOT_THE_DOCUMENT = frozenset({"validation_exception", "invalid_index_name_exception", "index_closed_exception"})
MISMATCH = "mapping_mismatch"
MAPPING_REASONS = frozenset({"strict_dynamic_mapping_exception", MISMATCH})
"""Reasons of refusals that the index's mapping causes, whatever a document's values are."""
_OF_MAPPING = re.compile(r"Limit of .* has been exceeded|cannot be changed from type|^object mapping for \[")
_FIELD = re.compile(r"^failed to parse field \[([^\]]+)\] of type \[(\w+)\]")
# A day that retention or ISM closed for writing; the disk's own blocks have other numbers.
_CLOSED = re.compile(r"index \[([^\]]+)\] blocked by: \[FORBIDDEN/8/index write \(api\)\]")
_ANSWER = "errors,items.*.status,items.*.error.type,items.*.error.reason,items.*.error.caused_by"


class Outcome(Enum):
    """Outcome of one document after one answer."""

    CREATED = "created"
    EXISTING = "existing"
    RETRY = "retry"
    CLOSED = "closed"
    REFUSED = "refused"


@dataclass
class Tally:
    """Tally of one writer's work.

    `refused` holds (position, reason, detail) of documents refused for good.
    """

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
    """Return the outcome of one item of a bulk answer.

    Raises DeploymentError if the fault is the deployment's (credentials, missing index, cluster block):
    such documents must never be quarantined.
    """
    if status in (200, 201):
        return Outcome.CREATED
    # A deletion of what is not there is answered with 404 and no error.
    if status == 409 or (status == 404 and not error_type):
        return Outcome.EXISTING
    if _CLOSED.search(reason):
        return Outcome.CLOSED
    if error_type == "cluster_block_exception" or status in (401, 403, 404) or error_type in NOT_THE_DOCUMENT:
        fault = f"OpenSearch refuses to write ({status} {error_type}): {reason.rstrip('; ')}"
        raise DeploymentError(fault + _remedy(error_type, reason))
    if status == 400:
        return Outcome.REFUSED
    if status in RETRIED or status >= 500:
        return Outcome.RETRY
    raise DeploymentError(f"OpenSearch answered an item with an unknown status {status} {error_type}: {reason}")


_REMEDIES = {
    "FORBIDDEN/5/": 'Somebody made the index read-only: PUT INDEX/_settings {"index.blocks.read_only": false}.',
    "FORBIDDEN/6/": "The whole cluster is read-only: set cluster.blocks.read_only to false.",
    "TOO_MANY_REQUESTS/12/": "The disk is nearly full: free some of it, and OpenSearch lifts the block.",
    "index_closed_exception": "Somebody closed the index: POST INDEX/_open.",
    "shards open": "The cluster has as many shards as it allows: delete indices, or raise cluster.max_shards_per_node.",
}


def _remedy(error_type: str, reason: str) -> str:
    text = next((text for mark, text in _REMEDIES.items() if mark in f"{error_type} {reason}"), "")
    return f". {text} Then start the stream again." if text else ""


def deletion(index: str, id: str, routing: str | None = None, **version: int) -> bytes:
    """Return the bulk line that deletes a document.

    With its `if_seq_no` and `if_primary_term`, a document that has changed since stays and counts as existing.
    """
    by_routing = {} if routing is None else {"routing": routing}
    return orjson.dumps({"delete": {"_index": index, "_id": id, **by_routing, **version}}) + b"\n"


class BulkWriter:
    """Writer of bulk lines, with retries.

    It sends until each document is stored, was there already, or is refused for good.

    A day index that is closed for writing is opened: an event is never kept out of its day because it comes late, and
    the next `retention` closes the day again. Setting `stop` ends it early: it then gives up at the next retry.
    """

    def __init__(self, client: OpenSearch, limits: Limits, stop: threading.Event | None = None):
        self._client = client
        self._limits = limits
        self._stop = stop or threading.Event()

    def write(self, lines: Sequence[bytes]) -> Tally:
        """Write all of `lines` and count their outcomes.

        Each is the two lines of one document. Raises ServiceUnavailable when the server stays busy or away past the
        deadline, DeploymentError when it refuses the whole request. Positions in the tally's `refused` are positions in
        `lines`.
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
                    pending, closed = _settle(items, pending, tally)
                    for index in closed:
                        self._open(index)
                    if pending:
                        raise _Busy(f"{len(pending)} documents answered with 429 or 5xx, or by a closed index")
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

    def _open(self, index: str) -> None:
        try:
            self._client.indices.put_settings(index=index, body={"index.blocks.write": False})
        except AuthorizationException:
            raise DeploymentError(
                f"{index} is closed for writing, and this user may not open it. Open it, PUT {index}/_settings "
                '{"index.blocks.write": false}, or give the user the right to change settings of day indices.'
            ) from None

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


def _settle(items: list[dict], positions: Sequence[int], tally: Tally) -> tuple[list[int], set[str]]:
    """Count an answer's items; return positions and indices to retry.

    The positions are to be sent again, the indices are closed.
    """
    again: list[int] = []
    closed: set[str] = set()
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
            tally.refused.append((position, _reason(error), _cause(error)))
        else:
            again.append(position)
            if outcome is Outcome.CLOSED:
                closed.update(_CLOSED.findall(error["reason"]))
    return again, closed


def _reason(error: dict) -> str:
    """Return the error's type.

    MISMATCH where that hides the mapping's fault.
    """
    text = error.get("reason", "")
    field = _FIELD.match(text)
    if _OF_MAPPING.search(text) or (field and MAPPING["properties"].get(field[1], {}).get("type") != field[2]):
        return MISMATCH
    return error.get("type", "refused")


def _cause(error: dict) -> str:
    """Return the types of the error and its causes.

    Their texts quote the document, so they stay out.
    """
    types, cause = [], error
    while cause:
        types.append(cause.get("type", "unknown"))
        cause = cause.get("caused_by", {})
    return " <- ".join(types)


def slices(lines: Sequence[bytes], limits: Limits) -> Iterator[range]:
    """Yield the positions of `lines` that fit one request.

    A document over the byte limit travels alone.
    """
    start = size = 0
    for i, line in enumerate(lines):
        if i > start and (size + len(line) > limits.max_bytes or i - start == limits.max_documents):
            yield range(start, i)
            start, size = i, 0
        size += len(line)
    if lines:
        yield range(start, len(lines))
