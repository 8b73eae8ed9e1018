"""`python -m bench`: run the contenders, or render what a run wrote."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import psutil
import typer

from bench import contenders, explorer, report, rig
from dualsink import checks, cleanup, kafka
from dualsink.local.servers import LocalServers
from dualsink.settings import Settings
from dualsink.source import records

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
    with rig.own_servers() as servers:
        found = []
        for turn in range(rounds):
            for name in names:
                result = _turn(servers, name, raw_events if name == "raw" else events, batch, turn)
                typer.echo(f"{result.name}: {result.rate:,.0f} events/s warm, {result.overall_rate:,.0f} in all")
                found.append(result)
        about = {"events": events, "batch": batch, "results": [_as_dict(result) for result in found]}
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


@app.command()
def table(file: Path) -> None:
    """Print a run's table as Markdown."""
    typer.echo(report.table(report.read(file)))


@app.command()
def picture(file: Path, target: Path) -> None:
    """Draw a run's picture: throughput of each contender, cost of an event by process."""
    report.picture(report.read(file), target)


def _as_dict(result: contenders.Result) -> dict:
    return asdict(result) | {"rate": result.rate, "overall_rate": result.overall_rate}


def _turn(servers: LocalServers, name: str, events: int, batch: int, turn: int) -> contenders.Result:
    settings = rig.own_names(servers.settings, f"{name}_{turn}", max_offsets_per_trigger=batch)
    share = TUTORIAL_SHARE if name == "tutorial" else 1.0
    return _CONTENDERS[name](servers, settings, int(events * share), turn)


def _raw(servers: LocalServers, settings: Settings, events: int, turn: int) -> contenders.Result:
    ready = contenders.bodies(settings, events, turn)
    return contenders.raw_bulk(settings, servers, ready, int(len(ready) * RAW_WARM_UP))


def _program(contender: Callable) -> Callable:
    """A contender that reads a topic: everything is made before it, and removed after it."""

    def run(servers: LocalServers, settings: Settings, events: int, turn: int) -> contenders.Result:
        rig.with_spark(settings, checks.create_all)
        kafka.produce(records(settings.model_copy(update={"num_log_events": events, "seed": turn})), settings)
        result = contender(settings, servers, settings.data_path / "work" / settings.run_id, COLD_BATCHES)
        if result.events != events:
            raise RuntimeError(f"{result.name} took {result.events} of {events} events")
        rig.with_spark(settings, cleanup.remove_all)
        return result

    return run


_CONTENDERS = {"raw": _raw, "dualsink": _program(contenders.dualsink), "tutorial": _program(contenders.tutorial)}


if __name__ == "__main__":
    app()
