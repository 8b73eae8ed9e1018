"""Hot tier's side of the explorer.

A search is one request to OpenSearch.
"""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

from opensearchpy import OpenSearch
from opensearchpy.exceptions import ConnectionError as NoConnection
from opensearchpy.exceptions import ConnectionTimeout, OpenSearchException, RequestError, TransportError

from dualsink.errors import DeploymentError, DualsinkError, ServiceUnavailable, SettingsError
from dualsink.events.model import first_hot_day
from dualsink.events.strict_json import read_exactly
from dualsink.notebook.explorer import dsl
from dualsink.notebook.explorer.answers import FIELDS, Answer, Search, Tier
from dualsink.opensearch import index, reader
from dualsink.opensearch.documents import WHOLE
from dualsink.opensearch.hot_tier import HotTier
from dualsink.opensearch.questions import of_trace

_NEWEST_FIRST, _OLDEST_FIRST = (
    [{name: order} for name in ("timestamp", "partition", "offset", "position")] for order in ("desc", "asc")
)
_MOST_SERVICES = 500
_SOURCE = [*FIELDS, WHOLE]


def find(client: OpenSearch, hot: HotTier, wanted: Search) -> Answer:
    """Answer a search with both times.

    Raises SettingsError for a text that OpenSearch does not understand, ServiceUnavailable if it does not answer.
    """
    found, missing = _search(client, hot, _counting(hot, wanted))
    troubles = _partial(missing)
    aggregations = found.get("aggregations")
    if not aggregations:
        return Answer(troubles=troubles)
    return Answer(
        found["hits"]["total"]["value"],
        [_event(hit["_source"]) for hit in found["hits"]["hits"]],
        _counts(aggregations["levels"]["values"]),
        _counts(aggregations["services"]["values"]),
        _histogram(aggregations["bars"]["bars"]),
        troubles=troubles,
    )


def _counting(hot: HotTier, wanted: Search) -> dict[str, Any]:
    """Return the body that finds events and counts them.

    Filters narrow the events and the bars, but not the counts of their own field.
    """
    levels, services = _filters(wanted)
    steps = {"field": "timestamp", "fixed_interval": f"{wanted.step.total_seconds():.0f}s", "min_doc_count": 1}
    return {
        "size": wanted.size,
        "track_total_hits": True,
        "_source": _SOURCE,
        "sort": _OLDEST_FIRST if wanted.oldest else _NEWEST_FIRST,
        "query": _all(_asked(hot, wanted)),
        "post_filter": _all(levels + services),
        "aggs": {
            "levels": _counted("level", 20, services),
            "services": _counted("service", _MOST_SERVICES, levels),
            "bars": {
                "filter": _all(levels + services),
                "aggs": {"bars": {"date_histogram": steps, "aggs": {"levels": _terms("level", 20)}}},
            },
        },
    }


def request(hot: HotTier, wanted: Search) -> dict[str, Any]:
    """Return the body that finds a search's events.

    The search has both times; what the page counts is left out.
    """
    chosen = [each for filters in _filters(wanted) for each in filters]
    return {"size": wanted.size, "sort": _NEWEST_FIRST, "query": _all(_asked(hot, wanted) + chosen)}


def trace(client: OpenSearch, hot: HotTier, trace_id: str, size: int, tier: Tier) -> Answer:
    """Return the first `size` events of a trace."""
    body = {"size": size, "_source": _SOURCE, "sort": _OLDEST_FIRST}
    body["query"] = _all([of_trace(trace_id).dsl, *_own(hot, tier)])
    found, missing = _search(client, hot, body)
    hits = found["hits"]["hits"]
    return Answer(len(hits), [_event(hit["_source"]) for hit in hits], troubles=_partial(missing))


def extent(client: OpenSearch, hot: HotTier) -> tuple[datetime, datetime] | None:
    """Return times of the first and the last document.

    Times are UTC; None without a document.
    """
    ends = {name: {name: {"field": "timestamp"}} for name in ("min", "max")}
    answer, _ = _search(client, hot, {"size": 0, "aggs": ends})
    found = answer.get("aggregations", {})
    first, last = (found.get(name, {}).get("value_as_string") for name in ("min", "max"))
    return (datetime.fromisoformat(first), datetime.fromisoformat(last)) if first and last else None


def _search(client: OpenSearch, hot: HotTier, body: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Return the answer, and what is missing of it.

    A person sees the part that is there, and that it is one.
    """
    try:
        return reader.search_what_answers(client, hot.alias, body)
    except OpenSearchException as error:
        raise trouble(error, hot) from None


def _partial(missing: str) -> list[str]:
    return [f"OpenSearch answered in part only: {missing}. Events are missing here."] if missing else []


def trouble(error: OpenSearchException, hot: HotTier) -> DualsinkError:
    """Explain an error to the person who searches."""
    if isinstance(error, ConnectionTimeout):
        return ServiceUnavailable("OpenSearch took too long to answer: narrow the time range or the search.")
    if isinstance(error, NoConnection):
        return ServiceUnavailable(f"OpenSearch does not answer at {hot.cluster.url}.")
    if isinstance(error, RequestError):
        return SettingsError(f"OpenSearch does not understand the search: {_reason(error)}")
    status = error.status_code if isinstance(error, TransportError) else type(error).__name__
    return DeploymentError(f"OpenSearch refuses to answer ({status}).")


def _reason(error: RequestError) -> str:
    causes = error.info.get("error", {}).get("root_cause") if isinstance(error.info, dict) else None
    return causes[0].get("reason", error.error) if causes else error.error


def _asked(hot: HotTier, wanted: Search) -> list[dict[str, Any]]:
    return [_range(wanted), dsl.query(wanted.text), *_own(hot, wanted.tier)]


def _filters(wanted: Search) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    return _chosen("level", wanted.levels), _chosen("service", wanted.services)


def _range(wanted: Search) -> dict[str, Any]:
    bounds = {"gte": wanted.start.isoformat(), "lt": wanted.end.isoformat()}
    return {"range": {"timestamp": bounds}}


def _own(hot: HotTier, tier: Tier) -> list[dict[str, Any]]:
    """Exclude the days that are the archive's in `both`.

    Those that came back from it, and those that wait for their proof.
    """
    if tier != "both":
        return []
    return [
        index.without_rehydrated(hot),
        {"range": {"timestamp": {"gte": first_hot_day(hot.days).isoformat()}}},
    ]


def _chosen(field: str, values: tuple[str, ...]) -> list[dict[str, Any]]:
    return [{"terms": {field: list(values)}}] if values else []


def _all(filters: list[dict[str, Any]]) -> dict[str, Any]:
    return {"bool": {"filter": filters}}


def _terms(field: str, size: int) -> dict[str, Any]:
    return {"terms": {"field": field, "size": size}}


def _counted(field: str, size: int, filters: list[dict[str, Any]]) -> dict[str, Any]:
    return {"filter": _all(filters), "aggs": {"values": _terms(field, size)}}


def _counts(terms: dict[str, Any]) -> Counter[str]:
    return Counter({bucket["key"]: bucket["doc_count"] for bucket in terms["buckets"]})


def _histogram(bars: dict[str, Any]) -> Counter[tuple[datetime, str]]:
    return Counter(
        {
            (datetime.fromtimestamp(bar["key"] / 1000, UTC), level["key"]): level["doc_count"]
            for bar in bars["buckets"]
            for level in bar["levels"]["buckets"]
        }
    )


def _event(source: dict[str, Any]) -> dict[str, Any]:
    event = {name: source.get(name) for name in FIELDS}
    if WHOLE in source:
        event["attributes"] = read_exactly(source[WHOLE])
    return event | {"timestamp": datetime.fromisoformat(source["timestamp"]), "tier": "hot"}
