"""Exports: events as files, a search as questions."""

import csv
import io
import json
import re
import shlex
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from dualsink.errors import SettingsError
from dualsink.events.strict_json import dump_json
from dualsink.iceberg.archive import Archive
from dualsink.kafka import exported
from dualsink.notebook.explorer import archive_search, hot_search, pasted
from dualsink.notebook.explorer.answers import FIELDS, Search
from dualsink.notebook.explorer.stores import Stores
from dualsink.opensearch.cluster import Cluster

_COLUMNS = (*FIELDS, "tier")


def as_csv(events: Iterable[dict[str, Any]]) -> str:
    """Return events as CSV with a header.

    A text that a spreadsheet would take for a formula begins with an apostrophe.
    """
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(_COLUMNS)
    writer.writerows([_cell(event[name]) for name in _COLUMNS] for event in events)
    return out.getvalue()


def as_ndjson(events: Iterable[dict[str, Any]]) -> str:
    """Return events as a line of JSON each."""
    return "".join(f"{dump_json(_plain(event)).decode()}\n" for event in events)


def _plain(event: dict[str, Any]) -> dict[str, Any]:
    return {name: event[name] for name in _COLUMNS if event[name] is not None} | {
        "timestamp": event["timestamp"].isoformat()
    }


def _cell(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return dump_json(value).decode()
    return exported.shielded(value)


def questions(stores: Stores, wanted: Search) -> dict[str, str]:
    """Return a search as a question to each store.

    As query DSL (`dsl`), curl command (`curl`) and SQL of DuckDB (`sql`); `wanted` has both times. A secret is named by
    its environment variable. If a store cannot be asked, the reason is in place of the question.
    """
    try:
        wanted = pasted.understood(wanted)
        body = json.dumps(hot_search.request(stores.hot, wanted), indent=2, ensure_ascii=False)
        curl, sql = _curl(stores.hot.cluster, stores.hot.alias, body), _sql(stores.archive, wanted)
        return {"dsl": body, "curl": curl, "sql": sql}
    except SettingsError as error:
        return dict.fromkeys(("dsl", "curl", "sql"), str(error))


def _curl(cluster: Cluster, alias: str, body: str) -> str:
    user, password = cluster.user.variable, cluster.password.variable
    login = f' -u "${user}:${password}"' if cluster.user.read() else ""
    trust = f" --cacert {shlex.quote(cluster.ca_file)}" if cluster.ca_file else ""
    address = shlex.quote(f"{cluster.url}/{alias}/_search")
    return f"curl -s{login}{trust} -H 'Content-Type: application/json' {address} -d {shlex.quote(body)}"


def _sql(archive: Archive, wanted: Search) -> str:
    try:
        where = archive_search.where(wanted)
    except SettingsError as error:
        return f"-- {error}"
    condition = re.sub(r"\$(\w+)", lambda found: _literal(where.values[found[1]]), where.sql)
    _, database, name = archive.table.split(".")
    return f'SELECT *\nFROM "{database}"."{name}"\nWHERE {condition}\nORDER BY timestamp DESC\nLIMIT {wanted.size}'


def _literal(value: Any) -> str:
    if isinstance(value, datetime):
        return f"TIMESTAMPTZ '{value.isoformat()}'"
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    return str(value) if isinstance(value, int) else "'" + str(value).replace("'", "''") + "'"
