"""The table and the picture of a benchmark's JSON file."""

from pathlib import Path
from statistics import median
from typing import Any

import matplotlib.pyplot as plt
import orjson

CONNECT_BOTH = "Kafka Connect, both sinks"
_ROLES = ("opensearch", "spark", "workers", "driver", "connect", "kafka", "s3", "nessie")


def read(file: Path) -> dict[str, Any]:
    """What a command of this package wrote."""
    return orjson.loads(file.read_bytes())


def table(run: dict[str, Any]) -> str:
    """The Markdown table of what was measured."""
    head, *rows = _TABLES[run["measured"]](run)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ("---",) * len(head), *rows))


def _contenders(run: dict[str, Any]) -> list[tuple[str, ...]]:
    """A row for each contender: medians of its turns with the least and the most."""
    head = (
        "contender",
        "events/s, warm",
        "of raw `_bulk`",
        "events/s with start",
        "CPU µs an event",
        "of them OpenSearch",
    )
    by_name = _by_name(run)
    recorded = [] if CONNECT_BOTH in by_name or "raw _bulk" not in by_name else [_recorded(run, by_name["raw _bulk"])]
    return [head, *(_contender(run, name, turns) for name, turns in by_name.items()), *recorded]


def _contender(run: dict[str, Any], name: str, turns: list[dict[str, Any]]) -> tuple[str, ...]:
    rates = [turn["rate"] for turn in turns]
    spread = f" ({min(rates):,.0f} to {max(rates):,.0f})" if len(rates) > 1 else ""
    return (
        name, f"{median(rates):,.0f}{spread}", f"{ratio(run, name):.0%}",
        f"{median(turn['overall_rate'] for turn in turns):,.0f}",
        f"{median(sum(turn['cpu_per_event'].values()) for turn in turns):.1f}",
        f"{median(turn['cpu_per_event']['opensearch'] for turn in turns):.1f}",
    )  # fmt: skip


def _recorded(run: dict[str, Any], raw: list[dict[str, Any]]) -> tuple[str, ...]:
    """What Kafka Connect would do with both sinks, by the ratio to raw `_bulk` that was recorded elsewhere."""
    known = run["recorded"]
    rate = known["to_raw"] * median(turn["rate"] for turn in raw)
    cost, hot = known["cpu_per_event"], known["opensearch_cpu_per_event"]
    return known["contender"], f"{rate:,.0f}", f"{known['to_raw']:.0%}", "", f"{cost:.1f}", f"{hot:.1f}"


def _explorer(run: dict[str, Any]) -> list[tuple[str, ...]]:
    """Seconds of a search: a row for each kind, and one for all of them."""
    tiers = run["tiers"]
    head = ["search", *(f"{tier}: {run['loaded'][tier]:,} events" for tier in tiers)]
    kinds = {"all": [found["all"] for found in tiers.values()]}
    for kind in next(iter(tiers.values()))["kinds"]:
        kinds[kind] = [found["kinds"][kind] for found in tiers.values()]
    rows = [(kind, *(f"{f['p50']:.2f} s, p95 {f['p95']:.2f} s" for f in found)) for kind, found in kinds.items()]
    return [tuple(head), *rows]


def _freshness(run: dict[str, Any]) -> list[tuple[str, ...]]:
    """How old events were in each store, and how old their 99th percentile may be."""
    trigger, refresh = run["trigger_seconds"], run["refresh_seconds"]
    targets = {
        "searchable": f"trigger {trigger:g} + refresh {refresh} + 1 = {trigger + refresh + 1:g} s",
        "archived": f"trigger {trigger:g} + 2 = {trigger + 2:g} s",
        "batch_seconds": "",
    }
    names = {"searchable": "event to searchable", "archived": "event to archived", "batch_seconds": "a batch"}
    rows = [
        (names[name], *(f"{run[name][q]:.2f} s" for q in ("p50", "p99", "max")), target)
        for name, target in targets.items()
    ]
    return [("from … to", "p50", "p99", "max", "target of p99"), *rows]


def _flat(run: dict[str, Any]) -> list[tuple[str, ...]]:
    """A row for each tenth of the backlog."""
    head = (
        "tenth", "events/s", "CPU µs an event", "of them OpenSearch", "Spark's JVM", "workers", "commit p50", "p95",
    )  # fmt: skip
    return [head, *(_tenth(number, tenth) for number, tenth in enumerate(run["tenths"], 1))]


def _tenth(number: int, tenth: dict[str, Any]) -> tuple[str, ...]:
    memory = (f"{tenth['memory'].get(role, 0) / 2**20:,.0f} MiB" for role in ("spark", "workers"))
    commit = tenth["commit_seconds"]
    commits = (f"{commit[q]:.2f} s" if commit else "" for q in ("p50", "p95"))
    cost = tenth["cpu_per_event"]
    return (
        str(number), f"{tenth['rate']:,}", f"{sum(cost.values()):.1f}", f"{cost['opensearch']:.1f}", *memory, *commits,
    )  # fmt: skip


def _maintenance(run: dict[str, Any]) -> list[tuple[str, ...]]:
    """A row for each figure of the archive."""
    before, after = run["before"], run["after"]
    rows = [(name.replace("_", " "), f"{value:,}", f"{after[name]:,}") for name, value in before.items()]
    return [("archive", "before", "after"), *rows]


def _rehydration(run: dict[str, Any]) -> list[tuple[str, ...]]:
    """A row for each day that was brought back."""
    head = (
        "day",
        "events",
        "events/s sent",
        "seconds with proof",
        "CPU µs an event",
        "of them OpenSearch",
    )
    rows = []
    for number, found in enumerate(run["rounds"], 1):
        cpu = found["cpu_per_event"]
        seconds, all_cpu, hot = f"{found['seconds']:.1f} s", f"{sum(cpu.values()):.1f}", f"{cpu['opensearch']:.1f}"
        rows.append((str(number), f"{found['events']:,}", f"{found['rate']:,}", seconds, all_cpu, hot))
    return [head, *rows]


def _scaling(run: dict[str, Any]) -> list[tuple[str, ...]]:
    """A row for each number of workers."""
    one, *_ = run["workers"]
    rows = [(str(t["workers"]), f"{t['rate']:,}", f"{t['rate'] / one['rate']:.2f}") for t in run["workers"]]
    return [("workers of one core", "events/s, warm", "times one worker"), *rows]


_TABLES = {
    "contenders": _contenders,
    "explorer": _explorer,
    "freshness": _freshness,
    "flat": _flat,
    "maintenance": _maintenance,
    "rehydration": _rehydration,
    "scaling": _scaling,
}


def ratio(run: dict[str, Any], name: str) -> float:
    """Median over the turns of a contender's warm rate to that of raw `_bulk` in the same turn."""
    by_name = _by_name(run)
    pairs = zip(by_name[name], by_name.get("raw _bulk", by_name[name]), strict=True)
    return median(turn["rate"] / ceiling["rate"] for turn, ceiling in pairs)


def picture(run: dict[str, Any], target: Path) -> None:
    """Draw throughput of each contender, and cost of an event by process.

    A contender that writes to one store alone may be far faster than the ceiling: its bar leaves the picture.
    """
    by_name = _by_name(run)
    figure, (speed, cost) = plt.subplots(1, 2, figsize=(11, 3.2), layout="constrained")
    names = list(by_name)
    for name in names:
        rates = [turn["rate"] for turn in by_name[name]]
        speed.barh(name, median(rates), color="#4c78a8")
        speed.plot(rates, [name] * len(rates), "k|", markersize=12)
        speed.text(0, name, f" {median(rates):,.0f}", va="center", color="white")
    if "raw _bulk" in by_name:
        speed.set_xlim(0, 1.15 * max(turn["rate"] for turn in by_name["raw _bulk"]))
    speed.set_xlabel("events/s, warm (each turn marked)")
    speed.xaxis.set_major_formatter("{x:,.0f}")
    left = dict.fromkeys(names, 0.0)
    for role in _ROLES:
        widths = [median(turn["cpu_per_event"].get(role, 0.0) for turn in by_name[name]) for name in names]
        cost.barh(names, widths, left=list(left.values()), label=role)
        left = {name: left[name] + width for name, width in zip(names, widths, strict=True)}
    cost.set_xlabel("CPU µs an event")
    cost.set_yticks([])
    cost.legend(fontsize="small", ncols=2)
    for axes in (speed, cost):
        axes.invert_yaxis()
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(target, dpi=110)


def _by_name(run: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for result in run["results"]:
        found.setdefault(result["name"], []).append(result)
    return found
