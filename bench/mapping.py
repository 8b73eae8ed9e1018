"""What each choice of the index mapping costs: the same documents into one index a variant, on one node, in one run.

    python bench/mapping.py --host 127.0.0.1 --port 9201 [--documents 100000] [--rounds 3]

Prints a Markdown table: bytes an event on disk (merged to one segment) and the node's CPU microseconds an event (from
its own statistics, refreshes and merges included; the median of the rounds, whose order rotates).
Everything it creates is named `bench-mapping-*` and deleted at its end.
"""

import argparse
import copy
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson
from opensearchpy import OpenSearch

from dualsink import documents, events, generator, search
from dualsink.settings import Settings

INDEX = "bench-mapping"
NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
_CHUNK = 5_000
Change = Callable[[dict[str, Any], dict[str, Any]], None]


def _field(**changes: dict[str, Any]) -> Change:
    """Other types for some fields."""
    return lambda settings, fields: fields.update(changes)


def _source_only(*names: str) -> Change:
    """Fields that can neither be searched nor sorted by."""
    kinds = {name: search.MAPPING["properties"][name] | {"index": False, "doc_values": False} for name in names}
    return _field(**kinds)


def _indexed_coordinates(settings: dict[str, Any], fields: dict[str, Any]) -> None:
    for name in search.COORDINATE_FIELDS:
        fields[name] = {k: v for k, v in search.MAPPING["properties"][name].items() if k != "index"}


def _free_attributes(settings: dict[str, Any], fields: dict[str, Any]) -> None:
    fields["attributes"] = {"type": "object", "dynamic": True}


VARIANTS: dict[str, Change] = {
    "as decided": lambda settings, fields: None,
    "coordinates indexed": _indexed_coordinates,
    "coordinates in the source only": _source_only(*search.COORDINATE_FIELDS),
    "`timestamp` as `date` (milliseconds)": _field(timestamp={"type": "date"}),
    "text by the standard analyzer": _field(message={"type": "text"}, stack_trace={"type": "text"}),
    "`message` as `match_only_text`": _field(message=search.TEXT | {"type": "match_only_text"}),
    "`message` also as keyword": _field(message=search.TEXT | {"fields": {"keyword": {"type": "keyword"}}}),
    "`stack_trace` not searchable": _field(stack_trace={"type": "text", "index": False}),
    "`log_id` in the source only": _source_only("log_id"),
    "`attributes` mapped field by field": _free_attributes,
    "`attributes` stored only": _field(attributes={"type": "object", "enabled": False}),
    "codec `best_compression`": lambda settings, fields: settings.update(codec="best_compression"),
    "refresh every second": lambda settings, fields: settings.update(refresh_interval="1s"),
}


def sources(count: int) -> list[tuple[int, bytes]]:
    """Time (µs) and JSON of events as the pipeline parses them, of one day; every other one bears attributes."""
    made = []
    for i, record in enumerate(generator.generate(count, 7, 0.0, NOON)):
        fields = orjson.loads(record.value)
        if i % 2:
            fields |= {"http.method": "GET", "http.status_code": 200 + i % 300, "thread": f"worker-{i % 64}"}
        event = events.parse(orjson.dumps(fields), record.key, int(NOON.timestamp() * 1_000_000))
        made.append((event.timestamp, documents.source(event)))
    return made


def bodies(alias: str, docs: list[tuple[int, bytes]]) -> list[bytes]:
    """`_bulk` bodies of the documents."""
    arrived = int(NOON.timestamp() * 1000)
    lines = [
        documents.bulk_lines(b"create", alias, time, source, "application_logs", i % 4, i // 4, arrived + i // 100)
        for i, (time, source) in enumerate(docs)
    ]
    return [b"".join(lines[i : i + _CHUNK]) for i in range(0, len(lines), _CHUNK)]


def cpu_seconds(client: OpenSearch) -> float:
    """CPU seconds of the node's process since it started, which the node reads once a second."""
    time.sleep(1.1)
    nodes = client.nodes.stats(metric="process")["nodes"].values()
    return sum(node["process"]["cpu"]["total_in_millis"] for node in nodes) / 1000


def load(client: OpenSearch, change: Change, docs: list[tuple[int, bytes]]) -> tuple[float, float]:
    """CPU microseconds and bytes of one document under a variant of the mapping."""
    alias = f"{INDEX}-{time.monotonic_ns()}"
    index = documents.index_name(alias, int(NOON.timestamp() * 1_000_000))
    template = copy.deepcopy(search.template_body(Settings())["template"])
    change(template["settings"], template["mappings"]["properties"])
    client.indices.create(index=index, body={k: template[k] for k in ("settings", "mappings")})
    prepared = bodies(alias, docs)
    before = cpu_seconds(client)
    for body in prepared:
        answer = client.bulk(body=body, params={"filter_path": "errors"})
        if answer["errors"]:
            raise SystemExit("The node refused documents: this variant does not fit them.")
    client.indices.refresh(index=index)
    cpu = (cpu_seconds(client) - before) / len(docs) * 1e6
    size = merged_bytes(client, index) / len(docs)
    client.indices.delete(index=index)
    return cpu, size


def merged_bytes(client: OpenSearch, index: str) -> int:
    """Bytes of an index as one segment, once the files of those that were merged are gone."""
    client.indices.forcemerge(index=index, params={"max_num_segments": 1})
    sizes = [-1]
    while len(sizes) < 3 or len(set(sizes[-3:])) > 1:
        client.indices.refresh(index=index)
        client.indices.flush(index=index, params={"force": "true"})
        stats = client.indices.stats(index=index, metric="store")
        sizes.append(stats["_all"]["primaries"]["store"]["size_in_bytes"])
        time.sleep(0.5)
    return sizes[-1]


def main() -> None:
    """Measure every variant and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9201)
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    client = search.connect(Settings(opensearch_host=given.host, opensearch_port=given.port), timeout=600)
    docs, names = sources(given.documents), list(VARIANTS)
    load(client, VARIANTS["as decided"], docs)  # The node's JIT compiler warms up.
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    for turn in range(given.rounds):
        for name in names[turn * 4 :] + names[: turn * 4]:
            found[name].append(load(client, VARIANTS[name], docs))
    report(found, given.documents)


def report(found: dict[str, list[tuple[float, float]]], count: int) -> None:
    """The table, in Markdown."""
    base_cpu, base_size = (statistics.median(r[i] for r in found["as decided"]) for i in (0, 1))
    print(
        f"{count:,} documents a round\n\n"
        "| variant | CPU µs an event (spread) | | bytes an event | |\n|---|---|---|---|---|"
    )
    for name, rounds in found.items():
        cpu, size = (statistics.median(r[i] for r in rounds) for i in (0, 1))
        spread = f"{min(r[0] for r in rounds):.1f} to {max(r[0] for r in rounds):.1f}"
        print(
            f"| {name} | {cpu:.1f} ({spread}) | {cpu / base_cpu - 1:+.0%} | {size:.0f} | {size / base_size - 1:+.0%} |"
        )


if __name__ == "__main__":
    main()
