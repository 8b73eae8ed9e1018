"""Main file of spark-submit: the stream by options.

Options take the place of an environment's files; Spark is as it was submitted.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

import typer

from dualsink.cli import jobs
from dualsink.cli.command import STYLE, Option, function_of, orderly_end
from dualsink.errors import SettingsError
from dualsink.settings import Settings

_HELP = "Write a topic of logs to OpenSearch and to an Iceberg archive. Servers are never started here."
_EPILOG = "Every other option is the parameter of its name, see `dualsink params`; --params gives the rest."
_OWN = {
    "params": Option(
        "--params", "Params files; later ones win, options win over them.", str | None, None, "FILE[,FILE]"
    ),
    "opensearch_hosts": Option(
        "--opensearch-hosts", "https://host:9200, of all nodes to send to.", str | None, None, "URL[,URL]"
    ),
    "iceberg_table": Option("--iceberg-table", "The archive.", str | None, None, "[[CATALOGUE.]DATABASE.]TABLE"),
}
OPENSEARCH_PORT = 9200
"""Where an address of OpenSearch names no port."""
NOT_OPTIONS = {
    # spark-submit decides these, or this job does.
    "servers", "spark_master", "spark_driver_memory",
    # --opensearch-hosts says these, and --iceberg-table this.
    "opensearch_host", "opensearch_port", "opensearch_tls", "iceberg_table",
    # The stream does not read these.
    "execution_date", "enable_validation", "enable_cleanup", "num_log_events", "seed", "events_per_second",
    "malformed_share", "input_path", "shift_to_now", "chaos_scenarios", "chaos_seed", "trino_uri", "trino_user_env",
    "trino_password_env", "trino_token_env", "trino_ca_file", "snapshot_days", "remove_orphans", "orphan_hours",
    "opensearch_keeper_user_env", "opensearch_keeper_password_env",
    "s3_keeper_access_key_env", "s3_keeper_secret_key_env", "s3_keeper_session_token_env",
}  # fmt: skip
"""Parameters without an option of their own; a params file may hold any."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Stream as the options say.

    Exit status as of `cli.main`, also if spark-submit hands it on.
    """
    with orderly_end():
        done = jobs.run_stream(settings_of(arguments), lambda line: print(line, flush=True))
        print(f"log_dual_sink: {done.fact}", flush=True)


def settings_of(arguments: Sequence[str] | None = None) -> Settings:
    """Return settings from params files, then options.

    Raises SettingsError; leaves with status 2 for an unknown option.
    """
    options = _parsed(sys.argv[1:] if arguments is None else list(arguments))
    given = {name: value for name, value in options.items() if value is not None}
    files = [Path(file) for file in given.pop("params", "").split(",") if file]
    hosts, table = given.pop("opensearch_hosts", None), given.pop("iceberg_table", None)
    fixed = {"servers": "external", "spark_master": ""}
    return Settings.load(files, given | _hosts(hosts) | _table(table) | fixed)


def _parsed(arguments: list[str]) -> dict[str, str | None]:
    """Parse the options as texts by name.

    An option that was not given is None.
    """
    found: dict[str, str | None] = {}
    parser = typer.Typer(**STYLE | {"no_args_is_help": False})
    parser.command(help=_HELP, epilog=_EPILOG)(function_of(_options(), found.update))
    try:
        parser(arguments, prog_name="log_dual_sink.py")
    except SystemExit as end:
        if end.code or not found:  # a mistake, or it was asked for its help
            raise
    del found["context"]
    return found


def _options() -> dict[str, Option]:
    parameters = {
        name: Option(f"--{name.replace('_', '-')}", f"The parameter {name}.", str | None, None, "VALUE")
        for name in Settings.model_fields
        if name not in NOT_OPTIONS
    }
    return _OWN | parameters


def _hosts(text: str | None) -> dict[str, Any]:
    """Parse hosts, port and encryption out of `--opensearch-hosts`."""
    if text is None:
        return {}
    places = [_place(each.strip()) for each in text.split(",")]
    kinds = {(place.scheme, place.port or OPENSEARCH_PORT) for place in places}
    if len(kinds) > 1:
        raise SettingsError(f"--opensearch-hosts: all nodes need one scheme and one port, got {text}")
    ((scheme, port),) = kinds
    hosts = ",".join(place.hostname for place in places)
    return {"opensearch_host": hosts, "opensearch_port": port, "opensearch_tls": scheme == "https"}


def _place(address: str) -> SplitResult:
    place = urlsplit(address if "://" in address else f"http://{address}")
    if place.username or place.password:
        raise SettingsError(
            "--opensearch-hosts: user and password come from the environment, see --opensearch-user-env."
        )
    try:
        fits = place.hostname and place.scheme in ("http", "https") and place.path in ("", "/") and place.port != 0
    except ValueError:
        fits = False
    if not fits:
        raise SettingsError(f"--opensearch-hosts: wanted http(s)://host:port, got {address!r}")
    return place


def _table(text: str | None) -> dict[str, str]:
    """Parse catalogue, database and table out of `--iceberg-table`.

    Only the parts that it names are returned.
    """
    if text is None:
        return {}
    names = ("iceberg_table", "database_name", "catalog_name")
    parts = text.split(".")
    if len(parts) > len(names):
        raise SettingsError(f"--iceberg-table: wanted [[catalogue.]database.]table, got {text!r}")
    return dict(zip(names, reversed(parts), strict=False))
