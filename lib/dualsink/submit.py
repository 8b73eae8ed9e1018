"""The stream as the main file of spark-submit: options instead of an environment's files, Spark as it was submitted."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from dualsink import cli, jobs
from dualsink.errors import SettingsError
from dualsink.settings import Settings

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
    "trino_password_env", "snapshot_days", "remove_orphans", "orphan_hours",
}  # fmt: skip
"""Parameters without an option of their own; a params file may hold any."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Stream as the options say. Exit status as of `cli.main`, also where spark-submit hands it on."""
    with cli.orderly_end():
        _, fact = jobs.run_stream(settings_of(arguments), lambda line: print(line, flush=True))
        print(f"log_dual_sink: {fact}", flush=True)


def settings_of(arguments: Sequence[str] | None = None) -> Settings:
    """Settings from params files, then options. Raises SettingsError; leaves with status 2 for an unknown option."""
    given = vars(_parser().parse_args(arguments))
    files = [Path(file) for file in (given.pop("params", None) or "").split(",") if file]
    hosts, table = given.pop("opensearch_hosts", None), given.pop("iceberg_table", None)
    fixed = {"servers": "external", "spark_master": ""}
    return Settings.load(files, given | _hosts(hosts) | _table(table) | fixed)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="log_dual_sink.py",
        description="Write a topic of logs to OpenSearch and to an Iceberg archive. Servers are never started here.",
        epilog="Every other option is the parameter of its name, see dualsink/settings.py; --params gives the rest.",
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    parser.add_argument("--params", metavar="FILE[,FILE]", help="params files; later ones win, options win over them")
    parser.add_argument("--opensearch-hosts", metavar="URL[,URL]", help="https://host:9200, of all nodes to send to")
    parser.add_argument("--iceberg-table", metavar="[[CATALOGUE.]DATABASE.]TABLE", help="the archive")
    for name in Settings.model_fields.keys() - NOT_OPTIONS:
        parser.add_argument(f"--{name.replace('_', '-')}", metavar="VALUE")
    return parser


def _hosts(text: str | None) -> dict[str, Any]:
    """Hosts, port and encryption out of `--opensearch-hosts`."""
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
    """Catalogue, database and table out of `--iceberg-table`, as far as it names them."""
    if text is None:
        return {}
    names = ("iceberg_table", "database_name", "catalog_name")
    parts = text.split(".")
    if len(parts) > len(names):
        raise SettingsError(f"--iceberg-table: wanted [[catalogue.]database.]table, got {text!r}")
    return dict(zip(names, reversed(parts), strict=False))
