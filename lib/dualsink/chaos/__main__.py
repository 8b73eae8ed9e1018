"""`python -m dualsink.chaos`: break the pipeline, mend it, and show that both stores still agree."""

import argparse
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dualsink.chaos import report
from dualsink.chaos.registry import SCENARIOS
from dualsink.chaos.world import World
from dualsink.errors import DualsinkError, SettingsError
from dualsink.local.servers import LocalServers, export_credentials
from dualsink.settings import Settings, params_files
from dualsink.spark import spark_session


def main() -> int:
    """Run the scenarios; 0 where every ledger holds, 1 where one does not, 2 for a mistake in the options."""
    options = _options()
    if options.table:
        print(report.table(report.read(Path(options.table))), end="")
        return 0
    try:
        names = report.choose(options.only)
        files = options.params.split(",") if options.params else params_files(options.env)
        settings = Settings.load(files, dict(options.param))
        with standing(settings) as world:
            outcomes = report.run(world, names)
    except DualsinkError as error:
        print(error, file=sys.stderr)
        return 2 if isinstance(error, SettingsError) else 1
    file = Path(options.output)
    report.write(file, outcomes)
    print(f"\n{report.table(outcomes)}\nWritten to {file}")
    return 0 if all(outcome.ok for outcome in outcomes) else 1


@contextmanager
def standing(settings: Settings) -> Iterator[World]:
    """A world on the local servers of an environment; those that had to be started are stopped at the end.

    Raises SettingsError for external servers.
    """
    servers = LocalServers(settings, say=lambda line: None)
    started = servers.up()
    try:
        export_credentials(settings)
        spark = spark_session(settings, "chaos")
        try:
            yield World.of(spark, settings)
        finally:
            spark.stop()
    finally:
        servers.down(started)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "python -m dualsink.chaos", description=__doc__, epilog=f"Scenarios: {', '.join(SCENARIOS)}"
    )
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="these scenarios; default: all")
    parser.add_argument("--env", default="local", metavar="NAME|PATH", help="environment whose local servers are used")
    parser.add_argument("--params", default="", metavar="FILE[,FILE]", help="params files instead of --env")
    parser.add_argument("-p", "--param", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"))
    parser.add_argument("--output", default="chaos.json", metavar="FILE", help="where the outcomes go, as JSON")
    parser.add_argument("--table", metavar="FILE", help="run nothing; print outcomes of a JSON file as Markdown")
    return parser.parse_args()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    sys.exit(main())
