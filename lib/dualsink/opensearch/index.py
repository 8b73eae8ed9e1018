"""Hot tier in OpenSearch: client, template, alias, day indices."""

import math
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import Any

from opensearchpy import OpenSearch
from opensearchpy.exceptions import AuthorizationException, NotFoundError, RequestError
from opensearchpy.serializer import JSONSerializer

from dualsink.errors import DeploymentError, ShapeMismatch
from dualsink.events.model import COORDINATES
from dualsink.events.strict_json import read_exactly
from dualsink.opensearch import reader, security
from dualsink.opensearch.cluster import Cluster
from dualsink.opensearch.documents import WHOLE
from dualsink.opensearch.hot_tier import HotTier
from dualsink.opensearch.reader import Stats
from dualsink.progress import PROGRESS

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
MAPPING: dict[str, Any] = {
    "dynamic": "strict",
    "properties": {
        "timestamp": {"type": "date_nanos"},
        "level": KEYWORD,
        "service": KEYWORD,
        "host": KEYWORD,
        "message": TEXT,
        "stack_trace": TEXT,
        "log_id": KEYWORD | {"index": False},
        "trace_id": KEYWORD,
        "span_id": KEYWORD,
        "attributes": {"type": "flat_object"},
        WHOLE: KEYWORD | {"index": False, "doc_values": False},
        "topic": KEYWORD | {"index": False},
        "topic_id": KEYWORD | {"index": False},
        "partition": {"type": "integer", "index": False},
        "offset": {"type": "long", "index": False},
        "position": {"type": "integer", "index": False},
        "positions": {"type": "integer", "index": False},
        "kafka_timestamp": {"type": "date", "format": "epoch_millis", "index": False},
    },
}
# Coordinates and `log_id` are sorted and looked up by their columns (`doc_values`) alone: a document's id is made of
# the ones, and the other, which never repeats, takes room in an index and is found soon in a column's dictionary.


class ExactSerializer(JSONSerializer):
    """Serializer that keeps numbers as the documents have them.

    `dump_json` then writes them unchanged.
    """

    def loads(self, s: Any) -> Any:
        return read_exactly(s)


def connect(cluster: Cluster, timeout: float = 60, serializer: JSONSerializer | None = None) -> OpenSearch:
    """Return a client that never retries by itself.

    The caller closes it. `timeout` is the seconds of one request. Secrets are read at this call. Raises what
    `security.options` raises.
    """
    return OpenSearch(
        hosts=[{"host": host, "port": cluster.port} for host in cluster.hosts],
        use_ssl=cluster.tls,
        **security.options(cluster),
        timeout=timeout,
        max_retries=0,
        serializer=serializer or JSONSerializer(),
    )


def template_body(hot: HotTier, shards: int | None = None) -> dict[str, Any]:
    """Return the composable index template of the day indices.

    It has as many shards as are given, else `opensearch_shards`.
    """
    return {
        "index_patterns": [f"{hot.alias}-*"],
        "priority": 100,
        "template": {
            "settings": {
                "number_of_shards": shards or hot.shards,
                "number_of_replicas": hot.replicas,
                "codec": hot.codec,
                "analysis": ANALYSIS,
                "refresh_interval": hot.refresh_interval,
                # A `create` asks each segment for its id: merges that are held up cost more than they take
                # (docs/decisions/0003-index-design.md).
                "merge": {"scheduler": {"auto_throttle": "false"}},
            },
            "mappings": MAPPING,
            "aliases": {hot.alias: {}},
        },
    }


def ensure_template(client: OpenSearch, hot: HotTier) -> str:
    """Install the template, and add fields that indices lack.

    Returns `created`, `updated` or `exists`. Raises ShapeMismatch if a day index exists with another mapping, naming
    the fields.
    """
    _evolve_indices(client, hot)
    return put_template(client, hot)


def put_template(client: OpenSearch, hot: HotTier) -> str:
    """Install the template, with the alias, for coming days.

    Returns `created`, `updated` or `exists`. Its shards follow the size of the days so far (`shards_of_next_day`).
    """
    body, name = template_body(hot, shards_of_next_day(client, hot)), hot.alias
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
    """Return a comparable form of a template.

    The server wraps settings in `index` and returns numbers as strings.
    """
    settings = template["settings"]
    return _as_text(settings.get("index", settings)), template["mappings"], template["aliases"]


def _as_text(value: Any) -> Any:
    """Convert every scalar in the value to a string."""
    if isinstance(value, dict):
        return {name: _as_text(each) for name, each in value.items()}
    return [_as_text(each) for each in value] if isinstance(value, list) else str(value)


def restore_template(client: OpenSearch, hot: HotTier) -> None:
    """Install the template again if somebody deleted it.

    Without it a new day has neither mapping nor alias, and no search finds it. A user who may not ask for templates is
    taken to have one.
    """
    with suppress(AuthorizationException):
        if not client.indices.exists_index_template(name=hot.alias):
            put_template(client, hot)


def evolve(client: OpenSearch, hot: HotTier) -> None:
    """Add fields that older day indices and template lack.

    A missing template is installed. Raises ShapeMismatch if a day index has a field of another type, or lacks one that
    is its identity; then nothing is changed.
    """
    _evolve_indices(client, hot)
    restore_template(client, hot)
    found = client.indices.get_index_template(name=hot.alias)["index_templates"][0]["index_template"]
    if MAPPING["properties"].keys() - found["template"]["mappings"]["properties"].keys():
        put_template(client, hot)


def _evolve_indices(client: OpenSearch, hot: HotTier) -> None:
    mappings = client.indices.get_mapping(index=f"{hot.alias}-*")
    fields = {index: found["mappings"].get("properties", {}) for index, found in mappings.items()}
    if differences := [*_field_differences(fields), *_alias_difference(client, hot.alias)]:
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
            f"{index} does not take the fields {', '.join(fields)} ({_reason(error)}): reindex it."
        ) from None


def _reason(error: RequestError) -> str:
    """Return OpenSearch's reason.

    What answers in place of OpenSearch may send no JSON.
    """
    return error.info["error"]["reason"] if isinstance(error.info, dict) else str(error)


def _field_differences(fields: dict[str, dict[str, Any]]) -> list[str]:
    """Return differences that no added field resolves.

    These are another type, and a missing field of the identity.
    """
    return [
        f"{index}: field {name}: wanted {wanted['type']}, found {kind or 'none'}"
        for index, found in fields.items()
        for name, wanted in MAPPING["properties"].items()
        if (kind := found.get(name, {}).get("type")) != wanted["type"]
        and (name in found or name in (*COORDINATES, "timestamp"))
    ]


def _alias_difference(client: OpenSearch, name: str) -> list[str]:
    taken = client.indices.exists(index=name) and not client.indices.exists_alias(index=name, name=name)
    return [f"{name} is an index, wanted an alias"] if taken else []


def day_indices(client: OpenSearch, alias: str) -> dict[date, str]:
    """Return the day indices of an alias, oldest first.

    They are keyed by UTC day.
    """
    names = client.indices.get(index=f"{alias}-*", params={"filter_path": "*.settings.index.uuid"})
    days = {}
    for name in names:
        try:
            days[datetime.strptime(name.removeprefix(f"{alias}-"), "%Y.%m.%d").replace(tzinfo=UTC).date()] = name
        except ValueError:
            continue
    return dict(sorted(days.items()))


def day_stats(client: OpenSearch, alias: str) -> dict[str, Stats]:
    """Return every day index's figures by name, oldest first.

    Raises PartialAnswer if a shard did not answer.
    """
    names = day_indices(client, alias).values()
    found = reader.stats(client, f"{alias}-*") if names else {}
    return {name: found[name] for name in names if name in found}


def shards_of_next_day(client: OpenSearch, hot: HotTier) -> int:
    """Return the shards that the next day's index needs.

    None over `hot_shard_gb` if it grows as large as the largest day so far.

    At least `opensearch_shards`. Only new indices get another number; a day's own shards never change.
    """
    largest = max((found.bytes for found in day_stats(client, hot.alias).values()), default=0)
    return max(hot.shards, math.ceil(largest / (hot.shard_gb * 2**30)))


def create_rehydrated(client: OpenSearch, hot: HotTier, day: date) -> None:
    """Create the index of a rehydrated day.

    The time of its expiry is in its mapping's `_meta`. One that exists stays as it is, its expiry too. Raises
    DeploymentError if the cluster takes no further index.
    """
    now = datetime.now(UTC)
    times = {"rehydrated_at": now, "expires_at": now + timedelta(days=hot.rehydrated_days)}
    meta = {"dualsink": {name: moment.isoformat(timespec="seconds") for name, moment in times.items()}}
    name = f"{hot.rehydrated}-{day:%Y.%m.%d}"
    try:
        client.indices.create(index=name, body={"mappings": {"_meta": meta}})
    except RequestError as error:
        if error.error != "resource_already_exists_exception":
            raise DeploymentError(f"OpenSearch does not create {name}: {_reason(error)}") from None


def expiries(client: OpenSearch, hot: HotTier) -> dict[date, datetime | None]:
    """Return each rehydrated day's expiry (UTC), oldest day first.

    It is None for an index that does not say.
    """
    days = day_indices(client, hot.rehydrated)
    found = client.indices.get_mapping(index=f"{hot.rehydrated}-*")
    metas = {name: index["mappings"].get("_meta", {}).get("dualsink", {}) for name, index in found.items()}
    times = {day: metas.get(name, {}).get("expires_at") for day, name in days.items()}
    return {day: datetime.fromisoformat(time) if time else None for day, time in times.items()}


def without_rehydrated(hot: HotTier) -> dict[str, Any]:
    """Return the query filter that leaves rehydrated days out."""
    return {"bool": {"must_not": {"prefix": {"_index": f"{hot.rehydrated}-"}}}}


def refresh(client: OpenSearch, alias: str) -> None:
    """Make every written document visible to searches.

    Says so if it has to wait for a shard. Raises PartialAnswer if a shard did not do so.
    """
    if away := reader.without_primary(client, f"{alias}-*"):
        PROGRESS.info(f"A shard of {', '.join(away)} is away: OpenSearch waits up to {reader.REFRESH_SECONDS} s for it")
    reader.refresh(client, f"{alias}-*")


def drop_all(client: OpenSearch, hot: HotTier) -> list[str]:
    """Delete every day index and the template; return names.

    Rehydrated ones are among them; the names are those that existed.
    """
    names = [name for prefix in hot.prefixes for name in day_indices(client, prefix).values()]
    for name in names:
        client.indices.delete(index=name)
    if client.indices.exists_index_template(name=hot.alias):
        client.indices.delete_index_template(name=hot.alias)
        names.append(f"template {hot.alias}")
    return names
