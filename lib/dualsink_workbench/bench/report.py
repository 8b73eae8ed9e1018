"""The table and the picture of a benchmark's JSON file."""

from pathlib import Path
from statistics import median
from typing import Any

import matplotlib.pyplot as plt
import orjson
from matplotlib.axes import Axes

from dualsink_workbench.bench import tls

CONNECT_BOTH = "Kafka Connect, both sinks"
_ROLES = ("opensearch", "spark", "workers", "driver", "connect", "kafka", "s3", "nessie")


def read(file: Path) -> dict[str, Any]:
    """Read what a command of this package wrote."""
    return orjson.loads(file.read_bytes())


def table(run: dict[str, Any]) -> str:
    """Return the Markdown table of a run."""
    head, *rows = _TABLES[run["measured"]](run)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ("---",) * len(head), *rows))


def _contenders(run: dict[str, Any]) -> list[tuple[str, ...]]:
    """Return a row for each contender: medians with their range."""
    head = (
        "contender",
        "events/s, warm",
        "of raw `_bulk`",
        "events/s with start",
        "CPU µs an event",
        "of them OpenSearch",
        "parsing and documents",
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
        _parsing(turns),
    )  # fmt: skip


def _parsing(turns: list[dict[str, Any]]) -> str:
    """Return the CPU of parsing and documents, if known."""
    legs = [turn.get("legs_per_event") for turn in turns]
    return f"{median(leg['parse'] + leg['documents'] for leg in legs):.1f}" if all(legs) else ""


def _recorded(run: dict[str, Any], raw: list[dict[str, Any]]) -> tuple[str, ...]:
    """Return Kafka Connect's row, by a ratio recorded elsewhere.

    The ratio is to raw `_bulk`, with both sinks.
    """
    known = run["recorded"]
    rate = known["to_raw"] * median(turn["rate"] for turn in raw)
    cost, hot = known["cpu_per_event"], known["opensearch_cpu_per_event"]
    return known["contender"], f"{rate:,.0f}", f"{known['to_raw']:.0%}", "", f"{cost:.1f}", f"{hot:.1f}", ""


def _tls(run: dict[str, Any]) -> list[tuple[str, ...]]:
    """Return each contender's speed and cost, plain and with TLS.

    Costs are of each process: the profile of what TLS takes.
    """
    rows = [("", "plain text", "TLS on every leg", "of plain text")]
    by_name = _by_name(run)
    for name in (name for name in by_name if name + tls.SUFFIX in by_name):
        both = by_name[name], by_name[name + tls.SUFFIX]
        rows.append(_beside(f"{name}: events/s, warm", [[turn["rate"] for turn in turns] for turns in both], 0))
        for role in both[0][0]["cpu_per_event"]:
            costs = [[turn["cpu_per_event"].get(role, 0.0) for turn in turns] for turns in both]
            rows.append(_beside(f"{name}: CPU µs an event, {role}", costs, 1))
    return rows


def _beside(what: str, sides: list[list[float]], digits: int) -> tuple[str, ...]:
    """Return medians of both sides, and of the turns' ratios."""
    ratios = [secured / plain for plain, secured in zip(*sides, strict=True) if plain]
    shown = (f"{median(figures):,.{digits}f}" for figures in sides)
    return what, *shown, f"{median(ratios):.0%}" if ratios else ""


def _explorer(run: dict[str, Any]) -> list[tuple[str, ...]]:
    """Return seconds of a search by kind, and of all."""
    tiers = run["tiers"]
    head = ["search", *(f"{tier}: {run['loaded'][tier]:,} events" for tier in tiers)]
    kinds = {"all": [figures["all"] for figures in tiers.values()]}
    for kind in next(iter(tiers.values()))["kinds"]:
        kinds[kind] = [figures["kinds"][kind] for figures in tiers.values()]
    rows = [(kind, *(f"{f['p50']:.2f} s, p95 {f['p95']:.2f} s" for f in figures)) for kind, figures in kinds.items()]
    return [tuple(head), *rows]


def _freshness(run: dict[str, Any]) -> list[tuple[str, ...]]:
    """Return the age of events by store, and its target."""
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
    """Return a row for each tenth of the backlog."""
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
    """Return a row for each figure of the archive."""
    before, after = run["before"], run["after"]
    rows = [(name.replace("_", " "), f"{value:,}", f"{after[name]:,}") for name, value in before.items()]
    return [("archive", "before", "after"), *rows]


def _ledger(run: dict[str, Any]) -> list[tuple[str, ...]]:
    """Return a row for each ledger."""
    rows = [
        (each["ledger"], f"{each['not_read']:,}", f"{each['seconds']:.1f} s", f"{each['storage_bytes'] / 1e6:,.1f} MB")
        for each in run["ledgers"]
    ]
    return [("ledger", "events not read again", "seconds", "read from storage"), *rows]


def _produce(run: dict[str, Any]) -> list[tuple[str, ...]]:
    """Return two rows for each file, one of sending alone."""
    turns = [
        (name, t) for each in run["files"] for name, t in ((each["file"], each), ("sending alone", each["sending"]))
    ]
    rows = [(name, f"{t['records']:,}", f"{t['rate']:,}", f"{t['cpu']:.1f}") for name, t in turns]
    return [("file", "records", "records/s", "CPU µs a record"), *rows]


def _rehydration(run: dict[str, Any]) -> list[tuple[str, ...]]:
    """Return a row for each rehydrated day."""
    head = (
        "day",
        "events",
        "events/s sent",
        "seconds with proof",
        "CPU µs an event",
        "of them OpenSearch",
    )
    rows = []
    for number, figures in enumerate(run["rounds"], 1):
        cpu = figures["cpu_per_event"]
        seconds, all_cpu, hot = f"{figures['seconds']:.1f} s", f"{sum(cpu.values()):.1f}", f"{cpu['opensearch']:.1f}"
        rows.append((str(number), f"{figures['events']:,}", f"{figures['rate']:,}", seconds, all_cpu, hot))
    return [head, *rows]


def _scaling(run: dict[str, Any]) -> list[tuple[str, ...]]:
    """Return a row for each number of workers."""
    one, *_ = run["workers"]
    rows = [(str(t["workers"]), f"{t['rate']:,}", f"{t['rate'] / one['rate']:.2f}") for t in run["workers"]]
    return [("workers of one core", "events/s, warm", "times one worker"), *rows]


_TABLES = {
    "contenders": _contenders,
    "explorer": _explorer,
    "freshness": _freshness,
    "flat": _flat,
    "ledger": _ledger,
    "maintenance": _maintenance,
    "produce": _produce,
    "rehydration": _rehydration,
    "scaling": _scaling,
    "tls": _tls,
}


def ratio(run: dict[str, Any], name: str) -> float:
    """Return a contender's median warm rate relative to raw `_bulk`.

    Rates are compared within the same turn.
    """
    by_name = _by_name(run)
    pairs = zip(by_name[name], by_name.get("raw _bulk", by_name[name]), strict=True)
    return median(turn["rate"] / ceiling["rate"] for turn, ceiling in pairs)


def picture(run: dict[str, Any], target: Path) -> None:
    """Draw throughput by contender and cost by process.

    A contender that writes to one store alone may be far faster than the ceiling: its bar is cut, and marked so.
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
        _cut(speed, by_name, 1.15 * max(turn["rate"] for turn in by_name["raw _bulk"]))
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


def _cut(axes: Axes, by_name: dict[str, list[dict[str, Any]]], end: float) -> None:
    """Cut the axis there and mark each longer bar.

    The mark says how much longer the bar is.
    """
    axes.set_xlim(0, end)
    for place, turns in enumerate(by_name.values()):
        rate = median(turn["rate"] for turn in turns)
        if rate > end:
            axes.text(0.94 * end, place, "//", va="center", ha="center", color="white", fontsize=16, weight="bold")
            axes.text(end, place, f" {rate / end:.1f} times this width", va="center", fontsize="small")


def _by_name(run: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    grouped: dict[str, list[dict[str, Any]]] = {}
    for result in run["results"]:
        grouped.setdefault(result["name"], []).append(result)
    return grouped
