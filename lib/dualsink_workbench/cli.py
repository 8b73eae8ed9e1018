"""Commands of the workbench.

`dualsink` finds them through the entry point `dualsink.commands`.
"""

import sys
from pathlib import Path
from typing import Any

import orjson
import typer

from dualsink import invocation
from dualsink.cli.command import Command, Option, flag
from dualsink.errors import PlatformError
from dualsink.operations.plan import Say
from dualsink.settings import Settings

_WITH = Option("--with", "Start this optional server too.", list[str] | None, None, "trino")
_RUN = {
    "stages": Option("--stages", "Only these, for example 01,03 or 06_chaos; default: 01 to 05.", default=""),
    "run_id": Option(
        "--run-id", "Name of the folder in runs/; default: time and environment.", default="", sets="run_id"
    ),
    "keep_servers": flag("--keep-servers", "Leave the servers running."),
    "extra": _WITH,
}


def _output(name: str) -> Option:
    return Option("--output", "JSON file to write.", Path, Path(name), "FILE")


def _number(name: str, default: float, help: str) -> Option:
    return Option(name, help, type(default), default)


_FILE = Option("", "JSON file that a measurement wrote.", Path, metavar="FILE")

commands = (
    Command(
        "run",
        "Run the notebooks one after the other: start servers, run stages, show the ledger.",
        "dualsink_workbench.cli:run",
        _RUN,
    ),
    Command(
        "lab",
        "Start the servers and JupyterLab on 127.0.0.1; Ctrl-C stops both.",
        "dualsink_workbench.cli:lab",
        {"extra": _WITH},
    ),
    Command(
        "explore",
        "Start the servers and the log explorer, a page on 127.0.0.1; Ctrl-C stops both.",
        "dualsink_workbench.cli:explore",
        {"port": _number("--port", 8866, "Port of the page, or the next free one.")},
    ),
    Command("up", "Start the local servers and leave them running.", "dualsink_workbench.cli:up", {"extra": _WITH}),
    Command("down", "Stop the local servers; their data stays.", "dualsink_workbench.cli:down"),
    Command(
        "status",
        "Show the servers, and where topic, tables and index are.",
        "dualsink_workbench.cli:status",
        {"as_json": flag("--json", "Every address, process and name, for programs.")},
    ),
    Command(
        "doctor",
        "Say what this machine offers and lacks: Python, memory, disk, Javas, ports, jars; change nothing.",
        "dualsink_workbench.doctor:run",
    ),
    Command(
        "clean",
        "Delete the environment's data folder: what the local servers stored, checkpoints, logs. Runs stay.",
        "dualsink_workbench.cli:clean",
        {"yes": flag("--yes -y", "Do not ask.")},
    ),
    Command(
        "chaos",
        "Break the pipeline on local servers in every way we know, mend it, and show that both stores still agree.",
        "dualsink_workbench.chaos.command:run",
        {
            "only": Option("--only", "Scenarios, with commas; default: all.", default="", metavar="NAME[,NAME]"),
            "output": _output("chaos.json"),
            "table": Option(
                "--table", "Run nothing; print outcomes of a JSON file as Markdown.", Path | None, None, "FILE"
            ),
            "hours": Option(
                "--hours", "Let an adversary make up sequences of faults for so long instead.", float | None, None, "N"
            ),
        },
    ),
    Command("bench", "Measure, on local servers of its own, or render what a measurement wrote."),
    Command(
        "bench run",
        "Measure against raw _bulk, the usual code and Kafka Connect; ten minutes a round for four million events. "
        "With --secure, what TLS and users take: plain and secured servers by turns.",
        "dualsink_workbench.bench.commands:run",
        {
            "events": _number("--events", 4_000_000, "Events of the topic; 40 % of them for the tutorial."),
            "batch": _number("--batch", 500_000, "Most events of a batch; the first two are not warm."),
            "rounds": _number("--rounds", 2, "How often all contenders take their turn."),
            "only": Option(
                "--only", "Of raw, dualsink, tutorial, connect, with commas; default: all that take the shape.",
                default="",
            ),
            "shape": Option("--shape", "Shape of the records: seed, ecs, container, otlp, mixed.", default="seed"),
            "logs": Option(
                "--logs", "Real logs for the shape mixed; default: those of the tests.", default="",
                metavar="FILE[,FILE]",
            ),
            "opensearch_connector": Option(
                "--opensearch-connector", "Folder of an OpenSearch sink connector, for Kafka Connect's other half.",
                Path | None, None, "FOLDER",
            ),
            "output": _output("bench.json"),
        },
    ),
    Command(
        "bench parse",
        "Measure what parsing costs by shape of record, as multiples of the seed's; seconds, and no server.",
        "dualsink_workbench.bench.parsing:run",
        {"output": _output("bench-parse.json")},
    ),
    Command(
        "bench explorer",
        "Time searches of the log explorer. Takes about three minutes.",
        "dualsink_workbench.bench.commands:time_explorer",
        {
            "events": _number("--events", 1_000_000, "Events of the seven hot days."),
            "archived_days": _number("--archived-days", 3, "Days before them, as full, in the archive alone."),
            "calls": _number("--calls", 140, "Searches timed in each tier."),
            "output": _output("bench-explorer.json"),
        },
    ),
    Command(
        "bench freshness",
        "Measure how old events are when each store has them, under a steady load.",
        "dualsink_workbench.bench.commands:time_freshness",
        {
            "per_second": _number("--per-second", 2_000.0, "Events produced a second."),
            "trigger": _number("--trigger", 5.0, "Seconds from batch to batch."),
            "refresh": _number("--refresh", 1, "Seconds from one refresh of the hot index to the next."),
            "warm_up": _number("--warm-up", 60, "Seconds of load before those that count."),
            "seconds": _number("--seconds", 180, "Seconds of load that count."),
            "output": _output("bench-freshness.json"),
        },
    ),
    Command(
        "bench flat",
        "Measure whether speed, memory and commits stay as they are over a long backlog.",
        "dualsink_workbench.bench.commands:measure_flat",
        {
            "events": _number("--events", 20_000_000, "Events of the backlog."),
            "batches": _number("--batches", 40, "Batches in which they are taken."),
            "output": _output("bench-flat.json"),
        },
    ),
    Command(
        "bench ledger",
        "Time a ledger over a year of archive of which one day is new, beside one that reads everything.",
        "dualsink_workbench.bench.commands:time_ledger",
        {
            "events": _number("--events", 10_000_000, "Events that are sealed."),
            "days": _number("--days", 365, "Days that they are of."),
            "new": _number("--new", 100_000, "Events of today that come after."),
            "output": _output("bench-ledger.json"),
        },
    ),
    Command(
        "bench produce",
        "Time produce of files of real logs that are moved to now.",
        "dualsink_workbench.bench.commands:time_produce",
        {
            "logs": Option(
                "--logs", "Files of logs; default: those of the tests.", default="", metavar="FILE[,FILE]"
            ),
            "turns": _number("--turns", 3, "How often each file is sent."),
            "output": _output("bench-produce.json"),
        },
    ),
    Command(
        "bench maintenance",
        "Measure what looking after a day of small batches changes.",
        "dualsink_workbench.bench.commands:measure_maintenance",
        {
            "events": _number("--events", 200_000, "Events of yesterday."),
            "batches": _number("--batches", 60, "Batches in which they arrive."),
            "output": _output("bench-maintenance.json"),
        },
    ),
    Command(
        "bench rehydration",
        "Measure how fast a day of the archive is back in OpenSearch, and at what CPU.",
        "dualsink_workbench.bench.commands:time_rehydration",
        {
            "events": _number("--events", 500_000, "Events of a day that is brought back."),
            "output": _output("bench-rehydration.json"),
        },
    ),
    Command(
        "bench scaling",
        "Measure the stream on one and on two workers of a cluster of Spark's own.",
        "dualsink_workbench.bench.commands:measure_scaling",
        {
            "events": _number("--events", 1_000_000, "Events of the topic."),
            "batch": _number("--batch", 250_000, "Most events of a batch; the first batch is not warm."),
            "output": _output("bench-scaling.json"),
        },
    ),
    Command(
        "bench mapping",
        "Measure what each choice of the index mapping costs, on the OpenSearch of an environment that is up.",
        "dualsink_workbench.bench.commands:measure_mapping",
        {
            "documents": _number("--documents", 100_000, "Documents of an index."),
            "rounds": _number("--rounds", 3, "How often every variant takes its turn."),
        },
    ),
    Command(
        "bench startup",
        "Time `./run_all.sh` with its 200 events, from command to summary, by stage and by the slowest cells.",
        "dualsink_workbench.bench.commands:time_startup",
        {"runs": _number("--runs", 3, "How often; the first makes topic, tables and archives.")},
    ),
    Command(
        "bench table",
        "Print a measurement as Markdown.",
        "dualsink_workbench.bench.commands:table",
        {"file": _FILE},
    ),
    Command(
        "bench picture",
        "Draw a measurement of `bench run`: throughput of each contender, cost of an event by process.",
        "dualsink_workbench.bench.commands:picture",
        {"file": _FILE, "target": Option("", "Picture to write.", Path, metavar="TARGET.png")},
    ),
    Command("supply", "Lock what is installed by hashes, list it, look for what is known to be vulnerable."),
    Command("supply lock", "Write the hashes of all packages and jars.", "dualsink_workbench.supply:lock"),
    Command(
        "supply sbom",
        "Write a bill of materials of this environment and all jars, CycloneDX.",
        "dualsink_workbench.supply:sbom",
        {"output": _output("sbom.json")},
    ),
    Command(
        "supply audit",
        "Look up known vulnerabilities of all packages; needs a service on the network.",
        "dualsink_workbench.supply:audit",
    ),
)  # fmt: skip
"""Commands as entries of the table that `dualsink.cli.command` describes."""


# -- the main job ------------------------------------------------------------------------------------


def run(settings: Settings, say: Say, stages: str, keep_servers: bool, extra: list[str] | None) -> int:
    """Run the notebooks and return the exit status.

    0 only if all stages end well and the ledger holds.
    """
    from dualsink_workbench.runner import console, runner

    chosen = [stage.strip() for stage in stages.split(",") if stage.strip()]
    return runner.run(settings, chosen, console.console(), keep_servers, extra or ())


def lab(settings: Settings, say: Say, extra: list[str] | None) -> int:
    """Serve JupyterLab; returns its exit status."""
    from dualsink_workbench import jupyter
    from dualsink_workbench.runner import console, runner

    return jupyter.run(runner.absolute(settings), console.console(), extra or ())


def explore(settings: Settings, say: Say, port: int) -> int:
    """Serve the explorer; returns its exit status."""
    from dualsink_workbench import explorer_page
    from dualsink_workbench.runner import console, runner

    return explorer_page.run(runner.absolute(settings), console.console(), port)


# -- servers -----------------------------------------------------------------------------------------


def up(settings: Settings, say: Say, extra: list[str] | None) -> None:
    """Start what does not run."""
    if _is_local(settings, say):
        started = _servers(settings).up(extra or ())
        say(f"Started {', '.join(started)}." if started else "All servers run already.")


def down(settings: Settings, say: Say) -> None:
    """Stop what runs."""
    if _is_local(settings, say):
        running = _running(settings)
        _servers(settings).down()
        say(f"Stopped {', '.join(running)}." if running else "No server was running.")


def status(settings: Settings, say: Say, as_json: bool) -> None:
    """Show where everything is."""
    from dualsink_workbench.runner import console
    from dualsink_workbench.servers import status as server_status

    found = server_status.describe(settings)
    if as_json:
        say(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())
    else:
        server_status.show(found, console.console())


def clean(settings: Settings, say: Say, yes: bool) -> int | None:
    """Delete the data folder after a question.

    Raises PlatformError while servers run, or if nobody can be asked.
    """
    folder = settings.data_path
    if not _is_local(settings, say):
        return None
    if not folder.exists():
        return say(f"Nothing to delete: {folder} does not exist.")
    if running := _running(settings):
        raise PlatformError(f"{', '.join(running)} still run: stop them first, with {invocation.command('down')}")
    if not yes and not sys.stdin.isatty():
        raise PlatformError(f"This deletes {folder}: say --yes if nobody can be asked.")
    if not yes and not typer.confirm(f"Delete {folder} with everything in it?"):
        return 1
    _servers(settings).clean()
    return say(f"Deleted {folder}.")


def _is_local(settings: Settings, say: Say) -> bool:
    if settings.servers == "external":
        say(f"The servers of environment {settings.environment} are external: not started or stopped from here.")
    return settings.servers == "local"


def _running(settings: Settings) -> list[str]:
    return [server.name for server in _servers(settings).status() if server.running]


def _servers(settings: Settings) -> Any:
    from dualsink_workbench.servers.stack import LocalServers

    return LocalServers(settings)
