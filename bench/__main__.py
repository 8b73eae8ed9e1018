"""`python -m bench`: run the contenders, or render what a run wrote."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import psutil
import typer

from bench import (
    connect,
    contenders,
    explorer,
    flat,
    freshness,
    loading,
    maintenance,
    rehydration,
    report,
    rig,
    scaling,
    startup,
)
from dualsink.local.servers import LocalServers
from dualsink.settings import Settings

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

COLD_BATCHES = 2
"""Batches in which the JVMs still compile."""
SHARES = {"tutorial": 0.4}


@app.command()
def run(
    events: Annotated[int, typer.Option(help="Events of the topic; 40 % of them for the tutorial.")] = 4_000_000,
    batch: Annotated[int, typer.Option(help="Most events of a batch; the first two are not warm.")] = 500_000,
    rounds: Annotated[int, typer.Option(help="How often all contenders take their turn.")] = 2,
    output: Annotated[Path, typer.Option(help="JSON file to write.")] = Path("bench.json"),
    only: Annotated[
        str, typer.Option(help="Contenders, with commas: raw, dualsink, tutorial, connect.")
    ] = "raw,dualsink,tutorial,connect",
    opensearch_connector: Annotated[
        Path | None, typer.Option(help="Folder of an OpenSearch sink connector, for Kafka Connect's other half.")
    ] = None,
) -> None:
    """Measure on local servers of its own. Takes about ten minutes a round for four million events.

    One turn of raw _bulk comes before all: the node compiles itself, and what it did meanwhile is not counted.
    """
    typer.echo(f"{events:,} events, {rounds} rounds, load average {psutil.getloadavg()[0]:.1f}")
    names, known = only.split(","), _contenders(opensearch_connector)
    if strange := set(names) - set(known):
        raise typer.BadParameter(f"no contender {', '.join(strange)}: there are {', '.join(known)}")
    with rig.own_servers() as servers:

        def take_turn(name: str, turn: str) -> contenders.Result:
            settings = rig.own_names(servers.settings, f"{name}_{turn}", max_offsets_per_trigger=batch)
            result = known[name](servers, settings, int(events * SHARES.get(name, 1)))
            typer.echo(f"{result.name}: {result.rate:,.0f} events/s warm, {result.overall_rate:,.0f} in all")
            return result

        take_turn("raw", "first")
        found = [take_turn(name, str(turn)) for turn in range(rounds) for name in names]
        about = {
            "events": events,
            "batch": batch,
            "recorded": connect.RECORDED,
            "results": [_as_dict(result) for result in found],
        }
        typer.echo(report.table(rig.write(output, "contenders", servers.settings, about)))


@app.command("explorer")
def measure_explorer(
    events: Annotated[int, typer.Option(help="Events of the seven hot days.")] = 1_000_000,
    archived_days: Annotated[int, typer.Option(help="Days before them, as full, in the archive alone.")] = 3,
    calls: Annotated[int, typer.Option(help="Searches timed in each tier.")] = 140,
    output: Annotated[Path, typer.Option(help="JSON file to write.")] = Path("bench-explorer.json"),
) -> None:
    """Time searches of the log explorer, on local servers of its own. Takes about three minutes."""
    with rig.own_servers() as servers:
        settings = rig.own_names(servers.settings, "explorer")
        found = explorer.measure(settings, events, archived_days, calls)
        typer.echo(report.table(rig.write(output, "explorer", settings, found)))


@app.command("freshness")
def measure_freshness(
    per_second: Annotated[float, typer.Option(help="Events produced a second.")] = 2_000,
    trigger: Annotated[float, typer.Option(help="Seconds from batch to batch.")] = 5,
    refresh: Annotated[int, typer.Option(help="Seconds from one refresh of the hot index to the next.")] = 1,
    warm_up: Annotated[int, typer.Option(help="Seconds of load before those that count.")] = 60,
    seconds: Annotated[int, typer.Option(help="Seconds of load that count.")] = 180,
    output: Annotated[Path, typer.Option(help="JSON file to write.")] = Path("bench-freshness.json"),
) -> None:
    """Measure how old events are when each store has them, under a steady load, on local servers of its own."""
    with rig.own_servers() as servers:
        settings = rig.own_names(servers.settings, "freshness")
        found = freshness.measure(settings, per_second, trigger, refresh, warm_up, seconds)
        typer.echo(report.table(rig.write(output, "freshness", settings, found)))


@app.command("flat")
def measure_flat(
    events: Annotated[int, typer.Option(help="Events of the backlog.")] = 20_000_000,
    batches: Annotated[int, typer.Option(help="Batches in which they are taken.")] = 40,
    output: Annotated[Path, typer.Option(help="JSON file to write.")] = Path("bench-flat.json"),
) -> None:
    """Measure whether speed, memory and commits stay as they are over a long backlog, on local servers of its own."""
    with rig.own_servers() as servers:
        settings = rig.own_names(servers.settings, "flat", max_offsets_per_trigger=-(-events // batches))
        typer.echo(report.table(rig.write(output, "flat", settings, flat.measure(servers, settings, events))))


@app.command("maintenance")
def measure_maintenance(
    events: Annotated[int, typer.Option(help="Events of yesterday.")] = 200_000,
    batches: Annotated[int, typer.Option(help="Batches in which they arrive.")] = 60,
    output: Annotated[Path, typer.Option(help="JSON file to write.")] = Path("bench-maintenance.json"),
) -> None:
    """Measure what looking after a day of small batches changes, on local servers of its own."""
    with rig.own_servers() as servers:
        settings = rig.own_names(
            servers.settings, "maintenance", max_offsets_per_trigger=-(-events // batches), snapshot_days=0
        )
        found = rig.with_spark(settings, lambda spark, own: maintenance.measure(spark, own, events, typer.echo))
        typer.echo(report.table(rig.write(output, "maintenance", settings, found)))


@app.command("rehydration")
def measure_rehydration(
    events: Annotated[int, typer.Option(help="Events of a day that is brought back.")] = 500_000,
    output: Annotated[Path, typer.Option(help="JSON file to write.")] = Path("bench-rehydration.json"),
) -> None:
    """Measure how fast a day of the archive is back in OpenSearch, and at what CPU, on local servers of its own."""
    with rig.own_servers() as servers:
        settings = rig.own_names(servers.settings, "rehydration")
        found = rig.with_spark(settings, lambda spark, own: rehydration.measure(spark, servers, own, events))
        typer.echo(report.table(rig.write(output, "rehydration", settings, found)))


@app.command("scaling")
def measure_scaling(
    events: Annotated[int, typer.Option(help="Events of the topic.")] = 1_000_000,
    batch: Annotated[int, typer.Option(help="Most events of a batch; the first batch is not warm.")] = 250_000,
    output: Annotated[Path, typer.Option(help="JSON file to write.")] = Path("bench-scaling.json"),
) -> None:
    """Measure the stream on one and on two workers of a cluster of Spark's own, on local servers of its own."""
    with rig.own_servers() as servers:
        found = scaling.measure(servers, events, batch)
        typer.echo(report.table(rig.write(output, "scaling", servers.settings, found)))


@app.command()
def table(file: Path) -> None:
    """Print a run's table as Markdown."""
    typer.echo(report.table(report.read(file)))


@app.command()
def picture(file: Path, target: Path) -> None:
    """Draw a run's picture: throughput of each contender, cost of an event by process."""
    report.picture(report.read(file), target)


@app.command("startup")
def measure_startup(
    runs: Annotated[int, typer.Option(help="How often; the first makes topic, tables and archives.")] = 3,
) -> None:
    """Time `./run_all.sh` with its 200 events, from command to summary, by stage and by the slowest cells."""
    for job in startup.jobs(runs):
        typer.echo(job)
    for seconds, stage, text in job.cells:
        typer.echo(f"{seconds:5.1f} s  {stage}  {text}")


def _as_dict(result: contenders.Result) -> dict:
    return asdict(result) | {"rate": result.rate, "overall_rate": result.overall_rate}


def _prepared(contender: Callable) -> Callable:
    """A contender for which a topic, tables and indices are made, and removed after it."""

    def run(servers: LocalServers, settings: Settings, events: int) -> contenders.Result:
        with loading.filled(settings, events):
            result = contender(settings, servers, settings.data_path / "work" / settings.run_id, COLD_BATCHES)
        if result.events != events:
            raise RuntimeError(f"{result.name} took {result.events} of {events} events")
        return result

    return run


def _contenders(opensearch_connector: Path | None) -> dict[str, Callable]:
    def connected(settings: Settings, servers: LocalServers, folder: Path, cold: int) -> contenders.Result:
        return connect.run(settings, servers, folder, opensearch_connector)

    known = {
        "raw": contenders.raw_bulk,
        "dualsink": contenders.dualsink,
        "tutorial": contenders.tutorial,
        "connect": connected,
    }
    return {name: _prepared(contender) for name, contender in known.items()}


if __name__ == "__main__":
    app()
