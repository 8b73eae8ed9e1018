"""Reader of OpenSearch: a complete answer, or an error.

The error names what is missing. OpenSearch answers 200 where a shard is lost, a time limit was hit or a collector
stopped early, and says so beside the hits. Whoever compares or deletes by such an answer is wrong, so every search,
count, scan and statistic goes this way.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from opensearchpy import OpenSearch
from opensearchpy.exceptions import NotFoundError, TransportError

from dualsink.errors import PartialAnswer

PAGE_BYTES = 8_000_000
"""Bytes of documents that a page has at most, about."""
_FIRST_PAGE, _LARGEST_PAGE = 16, 1_000
_KEEP_ALIVE = "5m"
_TOO_MUCH = ("circuit_breaking_exception", "Result window is too large")
"""What OpenSearch says of a page that its memory, or the index's `max_result_window`, does not allow."""
_NOTHING: dict[str, Any] = {"hits": {"total": {"value": 0, "relation": "eq"}, "hits": []}}
_PATIENCE = {"cancel_after_time_interval": "30s"}


def search(client: OpenSearch, index: str, body: dict[str, Any]) -> dict[str, Any]:
    """Return the complete answer to a search.

    It is empty and has no aggregations if no day has an index yet.
    Raises PartialAnswer, naming index, shards and reason, where a part of it is missing.
    """
    with _telling(index):
        try:
            return _complete(index, client.search(index=index, body=body, params=_WHOLE))
        except NotFoundError:
            return _NOTHING


def search_what_answers(client: OpenSearch, index: str, body: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Return the answer of available shards, and what is missing.

    For a person who can read the latter; it is empty for a complete answer. OpenSearch ends a search that takes longer
    than a person waits.
    """
    params = {"ignore_unavailable": "true", "allow_partial_search_results": "true", **_PATIENCE}
    found = client.search(index=index, body=body, params=params)
    return found, missing(found)


def count(client: OpenSearch, index: str) -> int:
    """Count documents of an index or a pattern.

    Raises PartialAnswer likewise.
    """
    # A search: `_count` knows no `allow_partial_search_results`.
    return search(client, index, {"size": 0, "track_total_hits": True})["hits"]["total"]["value"]


def scan(client: OpenSearch, index: str, slice: int, slices: int) -> Iterator[list[dict[str, Any]]]:
    """Yield every document of one slice of an index.

    Page by page, as of the moment of the call. The node holds a page in memory: pages of large documents have few of
    them, about PAGE_BYTES in all. Raises PartialAnswer likewise.
    """
    with _telling(index):
        pit = _point_in_time(client, index)
        body: dict[str, Any] = {
            "size": _FIRST_PAGE,
            "pit": {"id": pit, "keep_alive": _KEEP_ALIVE},
            "sort": [{"_shard_doc": "asc"}],
            "track_total_hits": False,
        }
        if slices > 1:
            body["slice"] = {"id": slice, "max": slices}
        try:
            while hits := _page(client, index, body):
                yield hits
                body["size"] = _next_size(hits, body["size"])
                body["search_after"] = hits[-1]["sort"]
        finally:
            client.delete_pit(body={"pit_id": [pit]})


def _page(client: OpenSearch, index: str, body: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the next page, as large as OpenSearch allows."""
    while True:
        try:
            return _complete(index, client.search(body=body, params=_WHOLE))["hits"]["hits"]
        except TransportError as error:
            if body["size"] == 1 or not any(sign in str(error) for sign in _TOO_MUCH):
                raise
            body["size"] = max(1, body["size"] // 4)


def _next_size(hits: list[dict[str, Any]], size: int) -> int:
    """Return how many documents like these make a page.

    It grows slowly, because the next ones may be larger.
    """
    fitting = PAGE_BYTES * len(hits) // max(1, len(str(hits)))
    return max(1, min(fitting, 2 * size, _LARGEST_PAGE))


def named(client: OpenSearch, places: list[dict[str, str | None]]) -> list[dict[str, Any]]:
    """Return existing documents by `index`, `id` and `routing`.

    With their versions, as of the moment of the call. Raises PartialAnswer if one could not be looked up.
    """
    wanted = [
        {
            "_index": place["index"],
            "_id": place["id"],
            **({"routing": routing} if (routing := place["routing"]) else {}),
        }
        for place in places
    ]
    found = client.mget(body={"docs": wanted})["docs"]
    for hit in found:
        error = hit.get("error", {})
        if error and error.get("type") != "index_not_found_exception":
            _refuse(hit["_index"], f"{error.get('type')}, {error.get('reason')}")
    return [hit for hit in found if hit.get("found")]


REFRESH_SECONDS = 60
"""How long OpenSearch waits for a shard that it is to refresh; no parameter changes it."""


def without_primary(client: OpenSearch, pattern: str) -> list[str]:
    """Return a pattern's indices that lack a primary shard."""
    found = client.cluster.health(index=pattern, params={"level": "indices"})["indices"]
    return sorted(name for name, each in found.items() if fnmatchcase(name, pattern) and each["status"] == "red")


def refresh(client: OpenSearch, pattern: str) -> None:
    """Make every written document visible to searches.

    Raises PartialAnswer if a shard did not do so.
    """
    params = {"ignore_unavailable": "true", "allow_no_indices": "true"}
    _refuse(pattern, _failures(client.indices.refresh(index=pattern, params=params)["_shards"]))


_WHOLE = {"allow_partial_search_results": "false"}


def _point_in_time(client: OpenSearch, index: str) -> str:
    params = {"keep_alive": _KEEP_ALIVE, "allow_partial_pit_creation": "false"}
    return _complete(index, client.create_pit(index=index, params=params))["pit_id"]


@dataclass(frozen=True)
class Stats:
    """Figures of one index: documents, bytes, segments, shards.

    Documents, bytes and segments are those of its primaries; `read_only` if it takes no writes.
    `lost` counts the shards of which no copy is there: the figures are of the others.
    """

    index: str
    documents: int
    bytes: int
    segments: int
    shards: int
    lost: int
    read_only: bool


def stats(client: OpenSearch, pattern: str) -> dict[str, Stats]:
    """Return the figures of every open index of a pattern.

    Raises PartialAnswer if an existing shard did not answer.
    """
    with _telling(pattern):
        found = client.indices.stats(index=pattern, metric="docs,store,segments", level="shards")
        # Replicas that stand nowhere are in the total; what failed is not.
        _refuse(pattern, _failures(found["_shards"]))
        settings = client.indices.get_settings(index=pattern, params={"flat_settings": "true"})
    return {name: _stats(name, found["indices"].get(name, {}), index["settings"]) for name, index in settings.items()}


def _stats(name: str, found: dict[str, Any], settings: dict[str, str]) -> Stats:
    primaries, shards = found.get("primaries", {}), int(settings["index.number_of_shards"])
    there = sum(any(copy["routing"]["primary"] for copy in copies) for copies in found.get("shards", {}).values())
    return Stats(
        name,
        primaries.get("docs", {}).get("count", 0),
        primaries.get("store", {}).get("size_in_bytes", 0),
        primaries.get("segments", {}).get("count", 0),
        shards,
        shards - there,
        settings.get("index.blocks.write") == "true",
    )


def missing(answer: dict[str, Any]) -> str:
    """Describe what is missing of an answer, if anything.

    `terminated_early` is no sign: OpenSearch 3 sets it for sums that it takes from the index's metadata, and nothing
    here asks for a part (`terminate_after`).
    """
    shards = answer.get("_shards", {})
    silent = shards.get("total", 0) - shards.get("successful", 0)
    parts = [_failures(shards) or (f"{silent} of {shards['total']} shards did not answer" if silent else "")]
    parts += ["the time limit was hit"] if answer.get("timed_out") else []
    return ", ".join(filter(None, parts))


def _complete(index: str, answer: dict[str, Any]) -> dict[str, Any]:
    _refuse(index, missing(answer))
    return answer


def _refuse(index: str, lack: str) -> None:
    if lack:
        raise PartialAnswer(
            f"OpenSearch answered for {index} in part only: {lack}. Nothing is concluded from a part: bring the shards "
            "back, then run this again."
        )


def _failures(shards: dict[str, Any]) -> str:
    """Describe failed shards: how many, and the first reason.

    Empty if none failed.
    """
    if not shards.get("failed"):
        return ""
    reasons = [failure.get("reason") or {} for failure in shards.get("failures", [])]
    reason = next((r["reason"] for r in reasons if r.get("reason")), "no copy of them is there")
    return f"{shards['failed']} of {shards['total']} shards failed ({reason})"


@contextmanager
def _telling(index: str) -> Iterator[None]:
    """Translate a refusal for lack of shards during the block.

    It says what a partial answer would have said.
    """
    try:
        yield
    except TransportError as error:
        if error.status_code != 503:
            raise
        _refuse(index, f"{error.error}, {_reason(error.info)}")


def _reason(info: Any) -> str:
    """Return the innermost reason of a 503.

    With its failed shards if it names some.
    """
    error = info.get("error", {}) if isinstance(info, dict) else {}
    failed = [f"shard {f['shard']} of {f['index']}" for f in error.get("failed_shards", []) if "shard" in f]
    return ", ".join([error.get("reason") or "no reason given", *failed])
