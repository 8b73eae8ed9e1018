"""Commands of `bench`: measure, write JSON, print a table.

Each starts servers of its own.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import psutil

from dualsink import words
from dualsink.errors import SettingsError
from dualsink.operations.plan import Say
from dualsink.settings import Settings
from dualsink.stream import health
from dualsink_workbench.bench import (
    connect,
    contenders,
    explorer,
    flat,
    freshness,
    ledger,
    loading,
    maintenance,
    mapping,
    producing,
    rehydration,
    report,
    rig,
    scaling,
    shapes,
    startup,
    tls,
)
from dualsink_workbench.servers.stack import LocalServers

COLD_BATCHES = 2
"""Batches in which the JVMs still compile."""
SHARES = {"tutorial": 0.4}
_LEDGER_BATCH = 200_000
_FIRST = "first"
"""Turn that does not count."""
LIMITED = {"tutorial": ("seed",), "connect": ("seed", "ecs", "container", "mixed")}
"""Shapes of contenders that cannot take all: the tutorial reads its own, Connect takes a record for a row."""


def run(
    settings: Settings,
    say: Say,
    events: int,
    batch: int,
    rounds: int,
    only: str,
    shape: str,
    logs: str,
    opensearch_connector: Path | None,
    output: Path,
) -> None:
    """Measure the contenders in turn.

    Results are written as they come. One turn of raw _bulk comes before all: the node compiles itself, and what it did
    meanwhile is not counted. With secured settings the contenders that speak TLS take their turns on plain servers and
    on secured ones. Raises SettingsError for an unknown contender or shape, one that cannot take the other, or too few
    events for the batch.
    """
    known = _contenders(opensearch_connector, shape, shapes.make(shape, logs))
    known = {name: known[name] for name in tls.CONTENDERS} if settings.secured_servers else known
    names = only.split(",") if only else [name for name in known if takes(name, shape)]
    check(names, list(known), shape, events, batch)
    say(f"{words.count(events, 'event')}, {words.count(rounds, 'round')}, load average {psutil.getloadavg()[0]:.1f}")
    found: list[contenders.Result] = []
    with ExitStack() as stack:
        sides = {end: stack.enter_context(rig.own_servers(base)) for end, base in tls.sides(settings).items()}

        def take_turn(name: str, turn: str, end: str) -> contenders.Result:
            records = batch if name == "raw" else batch // shapes.EVENTS.get(shape, 1)
            own = rig.own_names(sides[end].settings, f"{name}_{turn}", max_offsets_per_trigger=records)
            result = known[name](sides[end], own, int(events * SHARES.get(name, 1)))
            result = replace(result, name=result.name + end)
            say(f"{result.name}: {result.rate:,.0f} events/s warm, {result.overall_rate:,.0f} in all")
            return result

        def written() -> dict[str, Any]:
            about = {"events": events, "batch": batch, "shape": shape, "recorded": connect.RECORDED}
            results = {"results": [_as_dict(result) for result in found]}
            measured = "tls" if len(sides) > 1 else "contenders"
            return rig.write(output, measured, sides[""].settings, about | results)

        order = list(sides)
        for name, turn in [("raw", _FIRST), *((name, str(turn)) for turn in range(rounds) for name in names)]:
            for end in order:
                result = take_turn(name, turn, end)
                if turn != _FIRST:
                    found.append(result)
                    written()
                if end != order[-1]:
                    rig.end_jvm()
            order.reverse()  # neither side is always the second
        say(report.table(written()))


def takes(name: str, shape: str) -> bool:
    """Return whether a contender takes records of a shape."""
    return shape in LIMITED.get(name, (shape,))


def check(names: list[str], known: list[str], shape: str, events: int, batch: int) -> None:
    """Raise SettingsError for what cannot be measured, before anything starts."""
    if strange := set(names) - set(known):
        raise SettingsError(f"No contender {', '.join(sorted(strange))}: there are {', '.join(known)}.")
    for name in names:
        if not takes(name, shape):
            raise SettingsError(f"{name} takes {', '.join(LIMITED[name])} alone, not {shape}: leave it out of --only.")
        share = SHARES.get(name, 1)
        if events * share <= COLD_BATCHES * batch:
            least = int(COLD_BATCHES * batch / share)
            raise SettingsError(
                f"{name} takes {events * share:,.0f} events, and its first {COLD_BATCHES} batches of {batch:,} are not "
                f"warm: give more than {least:,} --events, or a smaller --batch."
            )


def time_explorer(settings: Settings, say: Say, events: int, archived_days: int, calls: int, output: Path) -> None:
    """Time searches of the log explorer."""
    with _own(settings, "explorer") as (_, own):
        found = explorer.measure(own, events, archived_days, calls, say)
        say(report.table(rig.write(output, "explorer", own, found)))


def time_freshness(
    settings: Settings,
    say: Say,
    per_second: float,
    trigger: float,
    refresh: int,
    warm_up: int,
    seconds: int,
    output: Path,
) -> None:
    """Measure how old events are when each store has them."""
    with _own(settings, "freshness") as (_, own):
        found = freshness.measure(own, per_second, trigger, refresh, warm_up, seconds)
        say(report.table(rig.write(output, "freshness", own, found)))


def measure_flat(settings: Settings, say: Say, events: int, batches: int, output: Path) -> None:
    """Measure a long backlog, tenth by tenth."""
    with _own(settings, "flat", max_offsets_per_trigger=-(-events // batches)) as (servers, own):
        say(report.table(rig.write(output, "flat", own, flat.measure(servers, own, events))))


def measure_maintenance(settings: Settings, say: Say, events: int, batches: int, output: Path) -> None:
    """Measure the archive before and after its maintenance."""
    with _own(settings, "maintenance", max_offsets_per_trigger=-(-events // batches), snapshot_days=0) as (_, own):
        found = rig.with_spark(own, lambda spark, names: maintenance.measure(spark, names, events, say))
        say(report.table(rig.write(output, "maintenance", own, found)))


def time_ledger(settings: Settings, say: Say, events: int, days: int, new: int, output: Path) -> None:
    """Time ledgers over sealed days and a new one."""
    with _own(settings, "ledger", max_offsets_per_trigger=_LEDGER_BATCH) as (servers, own):
        found = rig.with_spark(own, lambda spark, names: ledger.measure(spark, servers, names, events, days, new, say))
        say(report.table(rig.write(output, "ledger", own, found)))


def time_produce(settings: Settings, say: Say, logs: str, turns: int, output: Path) -> None:
    """Time `produce` of files of real logs with `shift_to_now`."""
    files = shapes.files(logs)
    with _own(settings, "produce") as (_, own):
        say(report.table(rig.write(output, "produce", own, producing.measure(own, files, turns))))


def time_rehydration(settings: Settings, say: Say, events: int, output: Path) -> None:
    """Measure how fast a day of the archive is back."""
    with _own(settings, "rehydration") as (servers, own):
        found = rig.with_spark(own, lambda spark, names: rehydration.measure(spark, servers, names, events))
        say(report.table(rig.write(output, "rehydration", own, found)))


def measure_scaling(settings: Settings, say: Say, events: int, batch: int, output: Path) -> None:
    """Measure the stream on one worker and on two."""
    _check_plain(settings)
    with rig.own_servers(settings) as servers:
        found = scaling.measure(servers, events, batch)
        say(report.table(rig.write(output, "scaling", servers.settings, found)))


def measure_mapping(settings: Settings, say: Say, documents: int, rounds: int) -> None:
    """Measure the variants of the mapping on the environment's OpenSearch.

    Raises PlatformError where a server does not answer.
    """
    health.require_servers(settings)
    say(mapping.table(mapping.measure(settings, documents, rounds), documents))


def time_startup(settings: Settings, say: Say, runs: int) -> None:
    """Time the main job by stage and by slowest cells."""
    for job in startup.jobs(runs):
        say(str(job))
    for seconds, stage, text in job.cells:
        say(f"{seconds:5.1f} s  {stage}  {text}")


def table(settings: Settings, say: Say, file: Path) -> None:
    """Print the table of a measurement."""
    say(report.table(report.read(file)))


def picture(settings: Settings, say: Say, file: Path, target: Path) -> None:
    """Draw the picture of a measurement."""
    report.picture(report.read(file), target)
    say(f"Written to {target}")


@contextmanager
def _own(settings: Settings, name: str, **changes: Any) -> Iterator[tuple[LocalServers, Settings]]:
    """Run servers and name everything for one measurement."""
    _check_plain(settings)
    with rig.own_servers(settings) as servers:
        yield servers, rig.own_names(servers.settings, name, **changes)


def _check_plain(settings: Settings) -> None:
    if settings.secured_servers:
        raise SettingsError("On secured servers `bench run` measures alone, plain ones beside them.")


def _as_dict(result: contenders.Result) -> dict:
    return asdict(result) | {"rate": result.rate, "overall_rate": result.overall_rate}


def _prepared(contender: Callable, make: shapes.Make) -> Callable:
    """Prepare a contender's topic, tables and indices; remove them afterwards."""

    def run(servers: LocalServers, settings: Settings, events: int) -> contenders.Result:
        with loading.filled(settings, events, make):
            result = contender(settings, servers, settings.data_path / "work" / settings.run_id, COLD_BATCHES)
        if result.events != events:
            raise RuntimeError(f"{result.name} took {result.events} of {events} events")
        return result

    return run


def _contenders(opensearch_connector: Path | None, shape: str, make: shapes.Make) -> dict[str, Callable]:
    def connected(settings: Settings, servers: LocalServers, folder: Path, cold: int) -> contenders.Result:
        # It sends what it reads: another shape than the seed's fits no strict mapping, but an index without a template.
        untyped = {} if shape == "seed" else {"opensearch_index": f"sent-{settings.opensearch_index}"}
        own = settings.model_copy(update=untyped)
        return connect.run(own, servers, folder, opensearch_connector)

    known = {
        "raw": contenders.raw_bulk,
        "dualsink": contenders.dualsink,
        "tutorial": contenders.tutorial,
        "connect": connected,
    }
    return {name: _prepared(contender, make) for name, contender in known.items()}
