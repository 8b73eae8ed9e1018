"""`python -m bench`: run the contenders, or render what a run wrote."""

import platform
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import psutil
import typer

from bench import contenders, report
from dualsink import checks, cleanup, kafka, results
from dualsink.local.servers import LocalServers, export_credentials, free_settings
from dualsink.settings import Settings, project_root
from dualsink.source import records
from dualsink.spark import spark_session

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

COLD_BATCHES = 1
RAW_WARM_UP = 0.4
TUTORIAL_SHARE = 0.4


@app.command()
def run(
    events: Annotated[int, typer.Option(help="Events that dualsink streams.")] = 1_000_000,
    batch: Annotated[int, typer.Option(help="Most events of a batch.")] = 250_000,
    raw_events: Annotated[int, typer.Option(help="Documents of raw _bulk, 40 % of them warm-up.")] = 1_000_000,
    rounds: Annotated[int, typer.Option(help="How often all contenders take their turn.")] = 2,
    output: Annotated[Path, typer.Option(help="JSON file to write.")] = Path("bench.json"),
    only: Annotated[
        str, typer.Option(help="Contenders, with commas: raw, dualsink, tutorial.")
    ] = "raw,dualsink,tutorial",
) -> None:
    """Measure on local servers of its own. Takes about five minutes a round for a million events."""
    typer.echo(f"{events:,} events, {rounds} rounds, load average {psutil.getloadavg()[0]:.1f}")
    names = only.split(",")
    if strange := set(names) - set(_CONTENDERS):
        raise typer.BadParameter(f"no contender {', '.join(strange)}: there are {', '.join(_CONTENDERS)}")
    with _servers() as servers:
        found = []
        for turn in range(rounds):
            for name in names:
                result = _turn(servers, name, raw_events if name == "raw" else events, batch, turn)
                typer.echo(f"{result.name}: {result.rate:,.0f} events/s warm, {result.overall_rate:,.0f} in all")
                found.append(result)
    results.write_json(output, _report(servers.settings, found, events, batch))
    typer.echo(report.table(report.read(output)))


@app.command()
def table(file: Path) -> None:
    """Print a run's table as Markdown."""
    typer.echo(report.table(report.read(file)))


@app.command()
def picture(file: Path, target: Path) -> None:
    """Draw a run's picture: throughput of each contender, cost of an event by process."""
    report.picture(report.read(file), target)


@contextmanager
def _servers():
    """Servers of the benchmark's own, in a new folder that is removed at its end."""
    folder = project_root() / ".data" / f"bench-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    settings = Settings.from_values({"environment": "bench", **free_settings(Settings(), folder)})
    servers = LocalServers(settings)
    try:
        servers.up()
        export_credentials(settings)
        yield servers
    finally:
        servers.down()
        servers.clean()


def _turn(servers: LocalServers, name: str, events: int, batch: int, turn: int) -> contenders.Result:
    settings = _own_names(servers.settings, name, batch, turn)
    share = TUTORIAL_SHARE if name == "tutorial" else 1.0
    return _CONTENDERS[name](servers, settings, int(events * share), turn)


def _own_names(settings: Settings, name: str, batch: int, turn: int) -> Settings:
    own = f"bench_{name}_{turn}"
    return settings.model_copy(
        update={
            "kafka_topic": own,
            "iceberg_table": own,
            "opensearch_index": own.replace("_", "-"),
            "max_offsets_per_trigger": batch,
            "servers": "external",
            "run_id": own,
            "runs_dir": str(settings.data_path / "runs"),
        }
    )


def _raw(servers: LocalServers, settings: Settings, events: int, turn: int) -> contenders.Result:
    ready = contenders.bodies(settings, events, turn)
    return contenders.raw_bulk(settings, servers, ready, int(len(ready) * RAW_WARM_UP))


def _program(contender: Callable) -> Callable:
    """A contender that reads a topic: everything is made before it, and removed after it."""

    def run(servers: LocalServers, settings: Settings, events: int, turn: int) -> contenders.Result:
        _with_spark(settings, checks.create_all)
        kafka.produce(records(settings.model_copy(update={"num_log_events": events, "seed": turn})), settings)
        result = contender(settings, servers, settings.data_path / "work" / settings.run_id, COLD_BATCHES)
        if result.events != events:
            raise RuntimeError(f"{result.name} took {result.events} of {events} events")
        _with_spark(settings, cleanup.remove_all)
        return result

    return run


def _with_spark(settings: Settings, work: Callable) -> None:
    spark = spark_session(settings, "bench")
    try:
        work(spark, settings)
    finally:
        spark.stop()


_CONTENDERS = {"raw": _raw, "dualsink": _program(contenders.dualsink), "tutorial": _program(contenders.tutorial)}


def _report(settings: Settings, found: list[contenders.Result], events: int, batch: int) -> dict:
    return {
        "taken_at": results.now(),
        "machine": {
            "cores": psutil.cpu_count(),
            "memory": psutil.virtual_memory().total,
            "system": platform.platform(),
        },
        "versions": results.versions(settings),
        "events": events,
        "batch": batch,
        "results": [asdict(result) | {"rate": result.rate, "overall_rate": result.overall_rate} for result in found],
    }


if __name__ == "__main__":
    app()
