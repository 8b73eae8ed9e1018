"""Audit log: deletions, replacements, rescues, losses, and seals.

It says what, by whom, when, and why, and is only ever appended to. Each deed is two entries of one id for each of its
days: `retiring` before it, for instance, and after it `retired`, or `kept` if it did not happen. A first entry alone
means that the run was cut short; the snapshot that the deed made, if it did, carries the id as `dualsink.audit-entry`,
by which `end_open` ends it. An acknowledgement is one entry, and so are a seal and a deletion of unknown documents.
"""

import getpass
import socket
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from dualsink.errors import CheckpointError, FilesChanged
from dualsink.iceberg import snapshots
from dualsink.iceberg.archive import Archive
from dualsink.spark import local_rows

COLUMNS = {
    "time": "timestamp",
    "entry": "string",
    "who": "string",
    "action": "string",
    "table_name": "string",
    "day": "date",
    "rows": "bigint",
    "bytes": "bigint",
    "policy": "string",
    "reason": "string",
    "snapshot_before": "bigint",
    "snapshot_after": "bigint",
    "records": "string",
    "seal": "string",
    "previous": "string",
    "hash": "string",
}
PROPERTY = "dualsink.audit-entry"
"""Property of the snapshot that a deed made: the id of its entries."""
KEPT = "kept"
DELETES = "deletes documents"
"""Action of the entry before unknown documents go; `table_name` is the alias."""
DONE = {"retiring": "retired", "removing": "removed", "replacing": "replaced", "rescuing": "rescued"}
"""Actions of the entries before a deed and after it: a day, copies and foreign rows, altered rows, what comes in."""
TAKES_AWAY = ("retired", "removed", "replaced")
"""Actions after which rows are gone, or have another content."""
_DDL = ", ".join(f"`{name}` {kind}" for name, kind in COLUMNS.items())
# A run that has begun a deed may still do it for so long.
_UNDER_WAY = timedelta(hours=1)
_CHANGED = "its files have changed since: the next run decides"


@dataclass(frozen=True)
class Entry:
    """Entry of the log; its fields are the columns.

    `time` is UTC, set when it is written. `rows` and `bytes` (of data files, 0 where no whole file goes) are those of
    the day; the snapshots are those of the table `table_name`. `records` says how many Kafka records of each partition
    are gone (`ledger.accounts`); `seal`, `previous` and `hash` are those of a seal (`ledger.seals`).
    """

    entry: str
    who: str
    action: str
    table_name: str
    day: date
    rows: int
    bytes: int
    policy: str
    reason: str
    snapshot_before: int | None
    snapshot_after: int | None = None
    records: str | None = None
    seal: str | None = None
    previous: str | None = None
    hash: str | None = None

    def done(self, snapshot_after: int) -> "Entry":
        """Return the entry after the deed."""
        return replace(self, action=DONE[self.action], snapshot_after=snapshot_after)

    def kept(self, reason: str) -> "Entry":
        """Return the entry of a deed that did not happen.

        It says why.
        """
        return replace(self, action=KEPT, reason=reason)


def whoever() -> str:
    """Return who runs this: user and machine."""
    return f"{getpass.getuser()}@{socket.gethostname()}"


def append(spark: SparkSession, archive: Archive, *added: Entry) -> None:
    """Append entries in one commit.

    The first ones create the table.
    """
    spark.sql(f"CREATE TABLE IF NOT EXISTS {archive.audit} ({_DDL}) USING iceberg")
    if missing := COLUMNS.keys() - set(spark.table(archive.audit).columns):
        columns = ", ".join(f"`{name}` {COLUMNS[name]}" for name in COLUMNS if name in missing)
        spark.sql(f"ALTER TABLE {archive.audit} ADD COLUMNS ({columns})")
    now = datetime.now(UTC)
    values = [{"time": now, **asdict(entry)} for entry in added]
    rows = [tuple(each[name] for name in COLUMNS) for each in values]
    local_rows.frame(spark, rows, _DDL).writeTo(archive.audit).append()


def carry_out(
    spark: SparkSession, archive: Archive, begun: Sequence[Entry], deed: Callable[[dict[str, str]], Any]
) -> None:
    """Do a deed between its entries before and after.

    They are of one id and table. `deed` gets the properties that its snapshot must have. Where it is refused
    (CheckpointError, FilesChanged), the entries are ended as `kept`; what else it raises leaves them to `end_open`.
    """
    append(spark, archive, *begun)
    try:
        deed({PROPERTY: begun[0].entry})
    except (CheckpointError, FilesChanged) as refused:
        why = _CHANGED if isinstance(refused, FilesChanged) else str(refused)
        append(spark, archive, *(entry.kept(why) for entry in begun))
        raise
    made = _made(spark, begun[0].table_name)[begun[0].entry]
    append(spark, archive, *(entry.done(made) for entry in begun))


def end_open(spark: SparkSession, archive: Archive) -> None:
    """End the entries of runs that were cut short.

    The snapshots say how. A deed of which there is a snapshot was done. One of which there is none was not, if its run
    is over (an hour) and all snapshots since are known; else its entry stays open.
    """
    deeds = F.col("action").isin(*DONE, *DONE.values(), KEPT)
    log = [_entry(row) for row in entries(spark, archive).where(deeds).collect()]
    ended = {_key(entry) for entry, _ in log if entry.action not in DONE}
    begun = [(entry, time) for entry, time in log if entry.action in DONE and _key(entry) not in ended]
    ends: list[Entry] = []
    for table in archive.written:
        of_table = [(entry, time) for entry, time in begun if entry.table_name == table]
        if of_table and spark.catalog.tableExists(table):
            ends += _ends(spark, table, of_table)
    if ends:
        append(spark, archive, *ends)


def _ends(spark: SparkSession, table: str, begun: Sequence[tuple[Entry, datetime]]) -> list[Entry]:
    made, known = _made(spark, table), {snapshot.id for snapshot in snapshots.ancestors(spark, table)}
    over = datetime.now(UTC) - _UNDER_WAY
    ends = [entry.done(made[entry.entry]) for entry, _ in begun if entry.entry in made]
    kept = [e for e, time in begun if e.entry not in made and time < over and e.snapshot_before in known]
    return ends + [entry.kept("the run was cut short before it") for entry in kept]


def _made(spark: SparkSession, table: str) -> dict[str, int]:
    """Snapshots that deeds made, by the id of their entries."""
    found = ((s.summary.get(PROPERTY), s.id) for s in snapshots.ancestors(spark, table))
    return {entry: snapshot for entry, snapshot in found if entry}


def _entry(row: Row) -> tuple[Entry, datetime]:
    # A log of an older version lacks columns.
    values = row.asDict()
    return Entry(**{field.name: values.get(field.name) for field in fields(Entry)}), row.time.astimezone(UTC)


def _key(entry: Entry) -> tuple[str, str, date]:
    return entry.entry, entry.table_name, entry.day


def entries(spark: SparkSession, archive: Archive) -> DataFrame:
    """Return all entries, oldest first, with the columns COLUMNS.

    None if nothing was ever entered.
    """
    if not spark.catalog.tableExists(archive.audit):
        return local_rows.frame(spark, [], _DDL)
    return spark.table(archive.audit).orderBy("time")
