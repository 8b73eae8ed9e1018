"""Cost of each choice of the index mapping.

The same documents go into one index a variant, on one node, in one run.

The table says bytes an event on disk (merged to one segment) and the node's CPU microseconds an event (from
its own statistics, refreshes and merges included; the median of the rounds, whose order rotates).
Everything it creates is named `bench-mapping-*` and deleted at its end.
"""

import copy
import statistics
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import orjson
from opensearchpy import OpenSearch

from dualsink.errors import PlatformError
from dualsink.events import parser as parsing
from dualsink.events.model import COORDINATES, index_name
from dualsink.kafka import generator
from dualsink.opensearch import documents
from dualsink.opensearch import index as indices
from dualsink.opensearch.cluster import Cluster
from dualsink.opensearch.hot_tier import HotTier
from dualsink.settings import Settings

INDEX, TOPIC_ID = "bench-mapping", "c2VydmVyLWlzLWJlbmNoMQ"
NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
_CHUNK = 5_000
Change = Callable[[dict[str, Any], dict[str, Any]], None]


def _field(**changes: dict[str, Any]) -> Change:
    """Other types for some fields."""
    return lambda settings, fields: fields.update(changes)


def _source_only(*names: str) -> Change:
    """Make fields neither searchable nor sortable."""
    kinds = {name: indices.MAPPING["properties"][name] | {"index": False, "doc_values": False} for name in names}
    return _field(**kinds)


def _indexed_coordinates(settings: dict[str, Any], fields: dict[str, Any]) -> None:
    for name in COORDINATES:
        fields[name] = {k: v for k, v in indices.MAPPING["properties"][name].items() if k != "index"}


def _free_attributes(settings: dict[str, Any], fields: dict[str, Any]) -> None:
    fields["attributes"] = {"type": "object", "dynamic": True}


VARIANTS: dict[str, Change] = {
    "as decided": lambda settings, fields: None,
    "coordinates indexed": _indexed_coordinates,
    "coordinates in the source only": _source_only(*COORDINATES),
    "`timestamp` as `date` (milliseconds)": _field(timestamp={"type": "date"}),
    "text by the standard analyzer": _field(message={"type": "text"}, stack_trace={"type": "text"}),
    "`message` as `match_only_text`": _field(message=indices.TEXT | {"type": "match_only_text"}),
    "`message` also as keyword": _field(message=indices.TEXT | {"fields": {"keyword": {"type": "keyword"}}}),
    "`stack_trace` not searchable": _field(stack_trace={"type": "text", "index": False}),
    "`log_id` indexed": _field(log_id=indices.KEYWORD),
    "`log_id` in the source only": _source_only("log_id"),
    "`attributes` mapped field by field": _free_attributes,
    "`attributes` stored only": _field(attributes={"type": "object", "enabled": False}),
    "codec `best_compression`": lambda settings, fields: settings.update(codec="best_compression"),
    "refresh every second": lambda settings, fields: settings.update(refresh_interval="1s"),
}


def sources(count: int) -> list[tuple[int, bytes]]:
    """Build events of one day as the pipeline parses them.

    Returns time (µs) and JSON of each; every other one has attributes.
    """
    made = []
    for i, record in enumerate(generator.generate(count, 7, 0.0, NOON)):
        fields = orjson.loads(record.value)
        if i % 2:
            fields |= {"http.method": "GET", "http.status_code": 200 + i % 300, "thread": f"worker-{i % 64}"}
        event = parsing.parse(orjson.dumps(fields), record.key, int(NOON.timestamp() * 1_000_000))
        made.append((event.timestamp, documents.source(event)))
    return made


def bodies(alias: str, docs: list[tuple[int, bytes]]) -> list[bytes]:
    """Build `_bulk` bodies of the documents."""
    arrived = int(NOON.timestamp() * 1000)
    lines = [
        documents.bulk_lines(
            b"create", alias, time, source, "application_logs", TOPIC_ID, i % 4, i // 4, 0, 1, arrived + i // 100
        )
        for i, (time, source) in enumerate(docs)
    ]
    return [b"".join(lines[i : i + _CHUNK]) for i in range(0, len(lines), _CHUNK)]


def cpu_seconds(client: OpenSearch) -> float:
    """Return the node's CPU seconds since it started.

    The node reads them once a second.
    """
    time.sleep(1.1)
    nodes = client.nodes.stats(metric="process")["nodes"].values()
    return sum(node["process"]["cpu"]["total_in_millis"] for node in nodes) / 1000


def load(client: OpenSearch, change: Change, docs: list[tuple[int, bytes]]) -> tuple[float, float]:
    """Measure CPU microseconds and bytes of a document."""
    alias = f"{INDEX}-{time.monotonic_ns()}"
    index = index_name(alias, int(NOON.timestamp() * 1_000_000))
    template = copy.deepcopy(indices.template_body(HotTier.of(Settings()))["template"])
    change(template["settings"], template["mappings"]["properties"])
    client.indices.create(index=index, body={k: template[k] for k in ("settings", "mappings")})
    prepared = bodies(alias, docs)
    before = cpu_seconds(client)
    for body in prepared:
        answer = client.bulk(body=body, params={"filter_path": "errors"})
        if answer["errors"]:
            raise PlatformError("The node refused documents: this variant does not fit them.")
    client.indices.refresh(index=index)
    cpu = (cpu_seconds(client) - before) / len(docs) * 1e6
    size = merged_bytes(client, index) / len(docs)
    client.indices.delete(index=index)
    return cpu, size


def merged_bytes(client: OpenSearch, index: str) -> int:
    """Return the bytes of an index merged to one segment.

    Waits until the files of merged segments are gone.
    """
    client.indices.forcemerge(index=index, params={"max_num_segments": 1})
    sizes = [-1]
    while len(sizes) < 3 or len(set(sizes[-3:])) > 1:
        client.indices.refresh(index=index)
        client.indices.flush(index=index, params={"force": "true"})
        stats = client.indices.stats(index=index, metric="store")
        sizes.append(stats["_all"]["primaries"]["store"]["size_in_bytes"])
        time.sleep(0.5)
    return sizes[-1]


def measure(settings: Settings, count: int, rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Measure a document by variant, once a round.

    Figures are CPU in microseconds, and bytes.
    """
    docs, names = sources(count), list(VARIANTS)
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    with closing(indices.connect(Cluster.of(settings), timeout=600)) as client:
        load(client, VARIANTS["as decided"], docs)  # The node's JIT compiler warms up.
        for turn in range(rounds):
            for name in names[turn * 4 :] + names[: turn * 4]:
                found[name].append(load(client, VARIANTS[name], docs))
    return found


def table(found: dict[str, list[tuple[float, float]]], count: int) -> str:
    """Print the table, in Markdown."""
    base_cpu, base_size = (statistics.median(r[i] for r in found["as decided"]) for i in (0, 1))
    lines = ["| variant | CPU µs an event (spread) | | bytes an event | |", "|---|---|---|---|---|"]
    for name, rounds in found.items():
        cpu, size = (statistics.median(r[i] for r in rounds) for i in (0, 1))
        spread = f"{min(r[0] for r in rounds):.1f} to {max(r[0] for r in rounds):.1f}"
        lines.append(
            f"| {name} | {cpu:.1f} ({spread}) | {cpu / base_cpu - 1:+.0%} | {size:.0f} | {size / base_size - 1:+.0%} |"
        )
    return "\n".join([f"{count:,} documents a round", "", *lines])
