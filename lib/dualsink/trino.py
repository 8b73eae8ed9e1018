"""The archive asked through Trino, in plain SQL, as analysts do.

Each function has its twin of the same name in `queries`, which asks Spark, and gives the same answer; what Trino's
metadata tables lack is said in the docstring. Times are UTC. Values travel as parameters, never pasted into a query.
"""

import re
from typing import Any

import pandas as pd
import requests
from trino.auth import BasicAuthentication
from trino.dbapi import Connection
from trino.dbapi import connect as open_connection

from dualsink.queries import HIT
from dualsink.questions import ERRORS, Question, of_levels
from dualsink.settings import Settings


def connect(settings: Settings) -> Connection | None:
    """A connection to Trino, or None where none answers at `trino_uri`.

    User and password come from the environment; a password asks for https.
    """
    if version(settings) is None:
        return None
    user, password = settings.secret("trino_user_env"), settings.secret("trino_password_env")
    return open_connection(
        host=settings.trino_uri,
        user=user or "dualsink",
        auth=BasicAuthentication(user, password) if user and password else None,
        catalog=settings.catalog_name,
        schema=settings.database_name,
        timezone="UTC",
    )


def version(settings: Settings) -> str | None:
    """Trino's version, or None where none answers or it is still starting."""
    try:
        answer = requests.get(f"{settings.trino_uri}/v1/info", timeout=5)
        info = answer.json() if answer.ok else {"starting": True}
    except (requests.RequestException, ValueError):
        return None
    return None if info["starting"] else info["nodeVersion"]["version"]


def ask_archive(connection: Connection, settings: Settings, question: Question, limit: int = 20) -> pd.DataFrame:
    """The newest events of all time that answer a question. Columns: HIT; `attrs["total"]` counts all of them."""
    condition = f"FROM {_table(settings)} WHERE {question.sql}"
    newest = f"SELECT {', '.join(HIT)} {condition} ORDER BY timestamp DESC, offset DESC LIMIT :limit"
    frame = _ask(connection, newest, **question.args, limit=limit)
    frame.attrs["total"] = int(_ask(connection, f"SELECT count(*) AS events {condition}", **question.args)["events"][0])
    return frame


def latest(connection: Connection, settings: Settings, limit: int = 20) -> pd.DataFrame:
    """The latest events. Columns: HIT."""
    return _ask(
        connection,
        f"""SELECT timestamp, level, service, host, message
            FROM {_table(settings)} ORDER BY timestamp DESC, offset DESC LIMIT :limit""",
        limit=limit,
    )


def errors_per_service(connection: Connection, settings: Settings) -> pd.DataFrame:
    """Who fails, and on how many machines. Columns: service, errors, hosts (distinct), last_seen; most errors first."""
    errors, args = of_levels(ERRORS)
    return _ask(
        connection,
        f"""SELECT service, count(*) AS errors, count(DISTINCT host) AS hosts, max(timestamp) AS last_seen
            FROM {_table(settings)} WHERE {errors} GROUP BY service ORDER BY errors DESC, service""",
        **args,
    )


def days_in_archive(connection: Connection, settings: Settings) -> pd.DataFrame:
    """Rows by event day (UTC). Columns: day, events."""
    return _ask(
        connection,
        f"""SELECT date_trunc('day', timestamp) AS day, count(*) AS events
            FROM {_table(settings)} GROUP BY 1 ORDER BY 1""",
    )


def partitions(connection: Connection, settings: Settings) -> pd.DataFrame:
    """The table's partitions, from its metadata alone. Columns: day (UTC), events, files, mebibytes.

    When each was changed last, Trino's `$partitions` does not tell.
    """
    return _ask(
        connection,
        f"""SELECT partition.timestamp_day AS day, record_count AS events, file_count AS files,
                   round(total_size / 1048576e0, 3) AS mebibytes
            FROM {_table(settings, "$partitions")} ORDER BY day DESC""",
    )


def snapshots(connection: Connection, settings: Settings, limit: int = 20) -> pd.DataFrame:
    """The table's newest states. Columns: snapshot_id, parent_id, committed_at, operation, batch, added."""
    return _ask(
        connection,
        f"""SELECT CAST(snapshot_id AS varchar) AS snapshot_id, CAST(parent_id AS varchar) AS parent_id, committed_at,
                   operation, element_at(summary, 'dualsink.batch-id') AS batch,
                   element_at(summary, 'added-records') AS added
            FROM {_table(settings, "$snapshots")} ORDER BY committed_at DESC LIMIT :limit""",
        limit=limit,
    )


def time_travel(connection: Connection, settings: Settings) -> pd.DataFrame:
    """What the table held before the last commit, and what it holds now. Columns: version, snapshot_id, events, latest.

    One row (`now`) where the table has no earlier snapshot, none where it has no snapshot at all.
    """
    history = f"SELECT snapshot_id, parent_id FROM {_table(settings, '$history')} ORDER BY made_current_at DESC LIMIT 1"
    found = _ask(connection, history)
    versions = [] if found.empty else [("now", found["snapshot_id"][0]), ("before", found["parent_id"][0])]
    rows = [
        _ask(
            connection,
            f"""SELECT '{name}' AS version, '{snapshot}' AS snapshot_id, count(*) AS events, max(timestamp) AS latest
                FROM {_table(settings)} FOR VERSION AS OF {snapshot}""",
        )
        for name, snapshot in versions
        if snapshot is not None
    ]
    return (
        pd.concat(rows, ignore_index=True)
        if rows
        else pd.DataFrame(columns=["version", "snapshot_id", "events", "latest"])
    )


def _table(settings: Settings, metadata: str = "") -> str:
    """The archive's name as Trino quotes it; its metadata tables are named after a dollar sign."""
    return f'"{settings.catalog_name}"."{settings.database_name}"."{settings.iceberg_table}{metadata}"'


def _ask(connection: Connection, text: str, **args: Any) -> pd.DataFrame:
    """The answer to a query whose parameters are written `:name`."""
    cursor = connection.cursor()
    values = [args[name] for name in re.findall(r":(\w+)", text)]
    cursor.execute(re.sub(r":\w+", "?", text), values or None)
    frame = pd.DataFrame(cursor.fetchall(), columns=[column.name for column in cursor.description])
    for column in cursor.description:
        if column.type_code.startswith("timestamp"):
            frame[column.name] = pd.to_datetime(frame[column.name], utc=True)
    return frame
