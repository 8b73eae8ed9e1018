"""The hot tier in OpenSearch: client, index template, alias, and its day indices."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from opensearchpy import OpenSearch
from opensearchpy.exceptions import NotFoundError, RequestError
from opensearchpy.serializer import JSONSerializer

from dualsink.errors import DeploymentError, ShapeMismatch
from dualsink.settings import Settings
from dualsink.shapes import read_exactly

KEYWORD = {"type": "keyword", "ignore_above": 8191}
# The standard tokenizer keeps `java.io.IOException` and `10,000` whole: nobody would find `IOException`.
ANALYSIS = {
    "char_filter": {
        "separators": {"type": "mapping", "mappings": [f"{character} => \\u0020" for character in ".:,'"]},
    },
    "analyzer": {
        "words": {"type": "custom", "char_filter": ["separators"], "tokenizer": "standard", "filter": ["lowercase"]},
    },
}
TEXT = {"type": "text", "analyzer": "words"}
# Explicit and strict: an unknown field is the parser's to keep in `attributes`, never the mapping's to guess.
MAPPING = {
    "dynamic": "strict",
    "properties": {
        "timestamp": {"type": "date_nanos"},
        "level": KEYWORD,
        "service": KEYWORD,
        "host": KEYWORD,
        "message": TEXT,
        "stack_trace": TEXT,
        "log_id": KEYWORD,
        "trace_id": KEYWORD,
        "span_id": KEYWORD,
        "attributes": {"type": "flat_object"},
        "topic": KEYWORD | {"index": False},
        "partition": {"type": "integer", "index": False},
        "offset": {"type": "long", "index": False},
        "kafka_timestamp": {"type": "date", "format": "epoch_millis", "index": False},
    },
}
# Sorted and looked up by their columns (`doc_values`) alone: the id, which is made of them, is the index to them.
COORDINATE_FIELDS = ("topic", "partition", "offset", "kafka_timestamp")


class ExactSerializer(JSONSerializer):
    """Reads answers so that `shapes.dump_json` writes their numbers as they stand in the documents."""

    def loads(self, s: Any) -> Any:
        return read_exactly(s)


def connect(settings: Settings, timeout: float = 60, serializer: JSONSerializer | None = None) -> OpenSearch:
    """A client that never retries by itself; user and password come from the environment."""
    user, password = settings.secret("opensearch_user_env"), settings.secret("opensearch_password_env")
    return OpenSearch(
        hosts=[{"host": host, "port": settings.opensearch_port} for host in settings.opensearch_hosts],
        use_ssl=settings.opensearch_tls,
        ca_certs=settings.opensearch_ca_file or None,
        http_auth=(user, password) if user and password else None,
        timeout=timeout,
        max_retries=0,
        serializer=serializer or JSONSerializer(),
    )


def template_body(settings: Settings, shards: int | None = None) -> dict[str, Any]:
    """The composable index template of the day indices, with `opensearch_shards` or as many shards as are given."""
    return {
        "index_patterns": [f"{settings.opensearch_index}-*"],
        "priority": 100,
        "template": {
            "settings": {
                "number_of_shards": shards or settings.opensearch_shards,
                "number_of_replicas": settings.opensearch_replicas,
                "codec": settings.opensearch_codec,
                "analysis": ANALYSIS,
                "refresh_interval": settings.opensearch_refresh_interval,
                # A `create` asks each segment for its id: merges that are held up cost more than they take
                # (docs/decisions/index-design.md).
                "merge": {"scheduler": {"auto_throttle": "false"}},
            },
            "mappings": MAPPING,
            "aliases": {settings.opensearch_index: {}},
        },
    }


def ensure_template(client: OpenSearch, settings: Settings) -> str:
    """Install the template, and add the fields that day indices lack; returns `created`, `updated` or `exists`.

    Raises ShapeMismatch where a day index exists with another mapping, naming the fields.
    """
    _evolve_indices(client, settings)
    return put_template(client, settings)


def put_template(client: OpenSearch, settings: Settings) -> str:
    """Install the template (which carries the alias) for coming days; returns `created`, `updated` or `exists`.

    Its shards follow the size of the days so far (`shards_of_next_day`).
    """
    body, name = template_body(settings, shards_of_next_day(client, settings)), settings.opensearch_index
    try:
        found = client.indices.get_index_template(name=name)["index_templates"][0]["index_template"]
    except NotFoundError:
        client.indices.put_index_template(name=name, body=body)
        return "created"
    if _flat(found["template"]) == _flat(body["template"]):
        return "exists"
    client.indices.put_index_template(name=name, body=body)
    return "updated"


def _flat(template: dict[str, Any]) -> tuple:
    """Comparable form: the server wraps settings in `index` and returns numbers as strings."""
    settings = template["settings"]
    return _as_text(settings.get("index", settings)), template["mappings"], template["aliases"]


def _as_text(value: Any) -> Any:
    """The value with every scalar in it as a string."""
    if isinstance(value, dict):
        return {name: _as_text(each) for name, each in value.items()}
    return [_as_text(each) for each in value] if isinstance(value, list) else str(value)


def evolve(client: OpenSearch, settings: Settings) -> None:
    """Add the fields that the day indices and the template of an older version lack.

    Raises ShapeMismatch where a day index has a field of another type, or lacks one that is its identity; then nothing
    is changed.
    """
    _evolve_indices(client, settings)
    found = client.indices.get_index_template(name=settings.opensearch_index)["index_templates"][0]["index_template"]
    if MAPPING["properties"].keys() - found["template"]["mappings"]["properties"].keys():
        put_template(client, settings)


def _evolve_indices(client: OpenSearch, settings: Settings) -> None:
    mappings = client.indices.get_mapping(index=f"{settings.opensearch_index}-*")
    fields = {index: found["mappings"].get("properties", {}) for index, found in mappings.items()}
    if differences := [*_field_differences(fields), *_alias_difference(client, settings.opensearch_index)]:
        raise ShapeMismatch(
            "OpenSearch holds indices of another shape:\n  " + "\n  ".join(differences) + "\n"
            "Nothing was changed. Reindex or rename them, or choose another alias with -p opensearch_index NAME."
        )
    for index, found in fields.items():
        if missing := {name: kind for name, kind in MAPPING["properties"].items() if name not in found}:
            _add_fields(client, index, missing)


def _add_fields(client: OpenSearch, index: str, fields: dict[str, Any]) -> None:
    try:
        client.indices.put_mapping(index=index, body={"properties": fields})
    except RequestError as error:
        raise ShapeMismatch(
            f"{index} does not take the fields {', '.join(fields)} ({error.info['error']['reason']}): reindex it."
        ) from None


def _field_differences(fields: dict[str, dict[str, Any]]) -> list[str]:
    """What no added field mends: another type, an identity that is missing."""
    return [
        f"{index}: field {name}: wanted {wanted['type']}, found {kind or 'none'}"
        for index, found in fields.items()
        for name, wanted in MAPPING["properties"].items()
        if (kind := found.get(name, {}).get("type")) != wanted["type"]
        and (name in found or name in (*COORDINATE_FIELDS, "timestamp"))
    ]


def _alias_difference(client: OpenSearch, name: str) -> list[str]:
    taken = client.indices.exists(index=name) and not client.indices.exists_alias(name=name)
    return [f"{name} is an index, wanted an alias"] if taken else []


def day_indices(client: OpenSearch, alias: str) -> dict[date, str]:
    """The existing day indices of an alias, by UTC day, oldest first."""
    names = client.indices.get(index=f"{alias}-*", params={"filter_path": "*.settings.index.uuid"})
    days = {}
    for name in names:
        try:
            days[datetime.strptime(name.removeprefix(f"{alias}-"), "%Y.%m.%d").replace(tzinfo=UTC).date()] = name
        except ValueError:
            continue
    return dict(sorted(days.items()))


@dataclass(frozen=True)
class DayStats:
    """One day index: documents, bytes, segments and shards of its primaries, and whether it takes no writes."""

    index: str
    documents: int
    bytes: int
    segments: int
    shards: int
    read_only: bool


def day_stats(client: OpenSearch, alias: str) -> dict[str, DayStats]:
    """Figures of every day index by its name."""
    names = list(day_indices(client, alias).values())
    if not names:
        return {}
    found = client.indices.stats(index=f"{alias}-*", metric="docs,store,segments")["indices"]
    settings = client.indices.get_settings(index=f"{alias}-*", params={"flat_settings": "true"})
    return {
        name: _day_stats(name, found[name]["primaries"], settings[name]["settings"])
        for name in names
        if name in found and name in settings
    }


def _day_stats(name: str, primaries: dict[str, Any], settings: dict[str, str]) -> DayStats:
    return DayStats(
        name,
        primaries["docs"]["count"],
        primaries["store"]["size_in_bytes"],
        primaries["segments"]["count"],
        int(settings["index.number_of_shards"]),
        settings.get("index.blocks.write") == "true",
    )


def shards_of_next_day(client: OpenSearch, settings: Settings) -> int:
    """Shards that the next day's index needs: none over `hot_shard_gb` if it grows as large as the largest day so far.

    At least `opensearch_shards`. Only new indices get another number; a day's own shards never change.
    """
    largest = max((found.bytes for found in day_stats(client, settings.opensearch_index).values()), default=0)
    return max(settings.opensearch_shards, math.ceil(largest / (settings.hot_shard_gb * 2**30)))


def create_rehydrated(client: OpenSearch, settings: Settings, day: date) -> None:
    """Create the index of a rehydrated day, with the time of its expiry in its mapping's `_meta`.

    One that exists stays as it is, its expiry too. Raises DeploymentError where the cluster takes no further index.
    """
    now = datetime.now(UTC)
    times = {"rehydrated_at": now, "expires_at": now + timedelta(days=settings.rehydrated_days)}
    meta = {"dualsink": {name: moment.isoformat(timespec="seconds") for name, moment in times.items()}}
    name = f"{settings.rehydrated_prefix}-{day:%Y.%m.%d}"
    try:
        client.indices.create(index=name, body={"mappings": {"_meta": meta}})
    except RequestError as error:
        if error.error != "resource_already_exists_exception":
            raise DeploymentError(f"OpenSearch does not create {name}: {error.info['error']['reason']}") from None


def expiries(client: OpenSearch, settings: Settings) -> dict[date, datetime | None]:
    """When each rehydrated day expires (UTC), oldest day first; None for an index that does not say."""
    days = day_indices(client, settings.rehydrated_prefix)
    found = client.indices.get_mapping(index=f"{settings.rehydrated_prefix}-*")
    metas = {name: index["mappings"].get("_meta", {}).get("dualsink", {}) for name, index in found.items()}
    times = {day: metas.get(name, {}).get("expires_at") for day, name in days.items()}
    return {day: datetime.fromisoformat(time) if time else None for day, time in times.items()}


def without_rehydrated(settings: Settings) -> dict[str, Any]:
    """The filter (query DSL) by which a search of the alias leaves rehydrated days out."""
    return {"bool": {"must_not": {"prefix": {"_index": f"{settings.rehydrated_prefix}-"}}}}


def refresh(client: OpenSearch, alias: str) -> None:
    """Make every written document visible to searches."""
    client.indices.refresh(index=f"{alias}-*", params={"ignore_unavailable": "true", "allow_no_indices": "true"})


def drop_all(client: OpenSearch, settings: Settings) -> list[str]:
    """Delete every day index, rehydrated ones too, and the template; returns the names that existed."""
    prefixes = (settings.opensearch_index, settings.rehydrated_prefix)
    names = [name for prefix in prefixes for name in day_indices(client, prefix).values()]
    for name in names:
        client.indices.delete(index=name)
    if client.indices.exists_index_template(name=settings.opensearch_index):
        client.indices.delete_index_template(name=settings.opensearch_index)
        names.append(f"template {settings.opensearch_index}")
    return names


def scan(client: OpenSearch, index: str, slice: int, slices: int, page: int) -> Iterator[list[dict[str, Any]]]:
    """Every document of one slice of an index, page by page, as of the moment of the call."""
    pit = client.create_pit(index=index, params={"keep_alive": "5m"})["pit_id"]
    body: dict[str, Any] = {
        "size": page,
        "pit": {"id": pit, "keep_alive": "5m"},
        "sort": [{"_shard_doc": "asc"}],
        "track_total_hits": False,
    }
    if slices > 1:
        body["slice"] = {"id": slice, "max": slices}
    try:
        while hits := client.search(body=body)["hits"]["hits"]:
            yield hits
            body["search_after"] = hits[-1]["sort"]
    finally:
        client.delete_pit(body={"pit_id": [pit]})
