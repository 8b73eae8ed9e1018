"""The hot tier's side of the explorer: one request to OpenSearch a search."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

from opensearchpy import OpenSearch
from opensearchpy.exceptions import ConnectionError as NoConnection
from opensearchpy.exceptions import ConnectionTimeout, OpenSearchException, RequestError, TransportError

from dualsink import lucene, search
from dualsink.errors import DeploymentError, DualsinkError, ServiceUnavailable, SettingsError
from dualsink.explorer.answers import FIELDS, Answer, Search, Tier
from dualsink.questions import of_trace
from dualsink.settings import Settings

_NEWEST_FIRST = [{"timestamp": "desc"}, {"partition": "desc"}, {"offset": "desc"}]
_MOST_SERVICES = 500


def find(client: OpenSearch, settings: Settings, wanted: Search) -> Answer:
    """The answer to a search with both times.

    Raises SettingsError for a text that OpenSearch does not understand, ServiceUnavailable where it does not answer.
    """
    levels, services = _chosen("level", wanted.levels), _chosen("service", wanted.services)
    steps = {"field": "timestamp", "fixed_interval": f"{wanted.step.total_seconds():.0f}s", "min_doc_count": 1}
    body = {
        "size": wanted.size,
        "track_total_hits": True,
        "_source": list(FIELDS),
        "sort": _NEWEST_FIRST,
        "query": _all([_range(wanted), lucene.query(wanted.text), *_own(settings, wanted.tier)]),
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
    found = _search(client, settings, body)
    aggregations = found.get("aggregations")
    if not aggregations:
        return Answer()
    return Answer(
        found["hits"]["total"]["value"],
        [_event(hit["_source"]) for hit in found["hits"]["hits"]],
        _counts(aggregations["levels"]["values"]),
        _counts(aggregations["services"]["values"]),
        Counter(
            {
                (datetime.fromtimestamp(bar["key"] / 1000, UTC), level["key"]): level["doc_count"]
                for bar in aggregations["bars"]["bars"]["buckets"]
                for level in bar["levels"]["buckets"]
            }
        ),
    )


def trace(client: OpenSearch, settings: Settings, trace_id: str, size: int, tier: Tier) -> Answer:
    """The first `size` events of a trace."""
    order = [{field: "asc"} for sort in _NEWEST_FIRST for field in sort]
    body = {"size": size, "_source": list(FIELDS), "sort": order}
    body["query"] = _all([of_trace(trace_id).dsl, *_own(settings, tier)])
    hits = _search(client, settings, body)["hits"]["hits"]
    return Answer(len(hits), [_event(hit["_source"]) for hit in hits])


def extent(client: OpenSearch, settings: Settings) -> tuple[datetime, datetime] | None:
    """Times of the first and the last document; None where there is none."""
    ends = {name: {name: {"field": "timestamp"}} for name in ("min", "max")}
    found = _search(client, settings, {"size": 0, "aggs": ends}).get("aggregations", {})
    values = [found.get(name, {}).get("value") for name in ("min", "max")]
    return None if None in values else tuple(datetime.fromtimestamp(value / 1000, UTC) for value in values)


def _search(client: OpenSearch, settings: Settings, body: dict[str, Any]) -> dict[str, Any]:
    try:
        return client.search(index=settings.opensearch_index, body=body, params={"ignore_unavailable": "true"})
    except OpenSearchException as error:
        raise trouble(error, settings) from None


def trouble(error: OpenSearchException, settings: Settings) -> DualsinkError:
    """The error as one sentence for the person who searches."""
    if isinstance(error, ConnectionTimeout):
        return ServiceUnavailable("OpenSearch took too long to answer: narrow the time range or the search.")
    if isinstance(error, NoConnection):
        return ServiceUnavailable(f"OpenSearch does not answer at {settings.opensearch_url}.")
    if isinstance(error, RequestError):
        return SettingsError(f"OpenSearch does not understand the search: {_reason(error)}")
    status = error.status_code if isinstance(error, TransportError) else type(error).__name__
    return DeploymentError(f"OpenSearch refuses to answer ({status}).")


def _reason(error: RequestError) -> str:
    causes = error.info.get("error", {}).get("root_cause") if isinstance(error.info, dict) else None
    return causes[0].get("reason", error.error) if causes else error.error


def _range(wanted: Search) -> dict[str, Any]:
    bounds = {"gte": wanted.start.isoformat(), "lt": wanted.end.isoformat()}
    return {"range": {"timestamp": bounds}}


def _own(settings: Settings, tier: Tier) -> list[dict[str, Any]]:
    """In `both`, what leaves to the archive the days that came back from it."""
    return [search.without_rehydrated(settings)] if tier == "both" else []


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


def _event(source: dict[str, Any]) -> dict[str, Any]:
    event = {name: source.get(name) for name in FIELDS}
    return event | {"timestamp": datetime.fromisoformat(source["timestamp"]), "tier": "hot"}
