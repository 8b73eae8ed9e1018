"""Time travel for auditors: what the archive held at a time, in which snapshot and commit, and what has gone since.

Nessie's log says which commit its branch was at, and the table is read at that commit. So it is what a reader got then,
whatever has become of today's table. Digests are the ledger's; docs/audit.md says how anyone recomputes them.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from typing import Any

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from dualsink import auditlog, lake, ledger, nessie, policy
from dualsink.errors import SettingsError
from dualsink.nessie import Commit
from dualsink.settings import Settings

_GONE = ("NotFoundException", "NoSuchKey", "does not exist", "404")

Sums = Mapping[str, tuple[int, int]]
Reasons = Mapping[str, list[str]]


@dataclass(frozen=True)
class Origin:
    """Where the archive stood at a time: the branch's commit, the table's last change, its snapshot and metadata.

    `rows` is what the snapshot says of itself, `policy` the retention that the table stood under. Fields are None for
    what is not known any more, or was not there yet.
    """

    commit: Commit | None = None
    change: Commit | None = None
    metadata_location: str | None = None
    snapshot_id: int | None = None
    snapshot_time: str | None = None
    rows: int | None = None
    policy: dict[str, Any] | None = None

    def __str__(self) -> str:
        commits = {"commit": self.commit, "change": self.change}
        told = [f"{name:9} {found.hash} of {found.time}: {found.message}" for name, found in commits.items() if found]
        if self.snapshot_id is not None:
            told.append(f"snapshot  {self.snapshot_id} of {self.snapshot_time}, {self.rows} rows")
        return "\n".join([*told, f"policy    {self.policy or 'none was recorded'}"])


@dataclass(frozen=True)
class Day:
    """One event day (UTC): events and digest then and now, and how many of the events of then are gone or altered.

    `reasons` are those that the audit log gives for its deletion.
    """

    day: str
    events: int
    digest: str
    events_now: int
    digest_now: str
    lost: int
    reasons: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """`unchanged`, `grown`, `deleted` with a reason, or `LOST` without one."""
        if self.lost:
            return "deleted" if self.reasons else "LOST"
        return "unchanged" if self.digest == self.digest_now else "grown"

    def __str__(self) -> str:
        told = {
            "unchanged": "all of it is there, unaltered",
            "grown": f"all of it is there, unaltered, and {self.events_now - self.events:,} more",
            "deleted": f"{self.lost:,} are gone: {'; '.join(self.reasons)}",
            "LOST": f"{self.lost:,} are gone or altered, and the audit log says nothing of it",
        }
        return f"{self.verdict:9} {self.day} {self.events:,} events, digest {self.digest}: {told[self.verdict]}"


@dataclass(frozen=True)
class Audit:
    """The whole answer. `asked` and `taken_at` are UTC. `unreadable` says why there are no days, if that is so.

    `deletions` is what the audit log says of the time since.
    """

    asked: str
    taken_at: str
    table: str
    branch: str
    storage: dict[str, str]
    origin: Origin
    unreadable: str
    days: list[Day]
    deletions: list[dict[str, Any]]

    @property
    def events(self) -> int:
        """Events that the archive held then."""
        return sum(day.events for day in self.days)

    @property
    def unexplained(self) -> list[Day]:
        """Days of which something is gone without a reason."""
        return [day for day in self.days if day.verdict == "LOST"]

    @property
    def fact(self) -> str:
        """The answer in one line."""
        if self.unreadable:
            return f"at {self.asked}: {self.unreadable}"
        held = f"at {self.asked} the archive held {self.events:,} events of {len(self.days)} days"
        told = f", in {len(self.unexplained)} days without a reason" if self.unexplained else ""
        return f"{held}; {sum(day.lost for day in self.days):,} are gone{told}"

    def __str__(self) -> str:
        return "\n".join(map(str, [self.origin, *self.days]))

    def as_dict(self) -> dict[str, Any]:
        """The audit as JSON types; digests are decimal texts, because they exceed JSON's numbers."""
        days = [asdict(day) | {"verdict": day.verdict} for day in self.days]
        digest = str(sum(int(day.digest) for day in self.days))
        return asdict(self) | {"days": days, "events": self.events, "digest": digest}


def take(spark: SparkSession, settings: Settings) -> Audit:
    """What the archive held at `audit_at` (now, where it is empty).

    Raises SettingsError for a time that is to come, ServiceUnavailable where the catalogue does not answer.
    """
    now = datetime.now(UTC)
    moment = datetime.fromisoformat(settings.audit_at) if settings.audit_at else now
    if moment > now:
        raise SettingsError(f"audit_at {settings.audit_at} is to come: it is {now.isoformat(timespec='seconds')} now.")
    origin, unreadable = _origin(settings, moment)
    days, deletions = [], _deletions(spark, settings, moment)
    if origin.snapshot_id is not None and not unreadable:
        days, unreadable = _days(spark, settings, origin, _reasons(settings, deletions))
    return Audit(
        moment.isoformat(),
        now.isoformat(timespec="seconds"),
        settings.archive_table,
        settings.nessie_ref,
        {"s3.endpoint": settings.s3_endpoint, "s3.region": settings.s3_region},
        origin,
        unreadable,
        days,
        deletions,
    )


# -- where it stood ----------------------------------------------------------------------------------


def _origin(settings: Settings, moment: datetime) -> tuple[Origin, str]:
    """Where the archive stood, and why it cannot be read, if so."""
    commit = nessie.commit_at(settings, moment)
    if commit is None:
        return Origin(), f"the branch {settings.nessie_ref} had no commit yet"
    entry = nessie.archive(settings, commit.hash)
    if entry is None:
        return Origin(commit), f"there was no table {settings.archive_table}"
    origin = Origin(commit, nessie.last_change(settings, commit), entry["metadataLocation"])
    try:
        return _described(settings, origin), ""
    except FileNotFoundError:
        snapshot = entry["snapshotId"]
        reason = f"the metadata of snapshot {snapshot} is deleted; Nessie still knows the commit"
        return replace(origin, snapshot_id=snapshot), reason


def _described(settings: Settings, origin: Origin) -> Origin:
    """The origin with what the table's metadata says; a table without a snapshot was empty."""
    table = lake.open_metadata(settings, origin.metadata_location)
    origin = replace(origin, policy=policy.read(table.properties.get(policy.PROPERTY)))
    snapshot = table.current_snapshot()
    if snapshot is None:
        return origin
    made = datetime.fromtimestamp(snapshot.timestamp_ms / 1000, UTC).isoformat(timespec="milliseconds")
    rows = int(snapshot.summary["total-records"])
    return replace(origin, snapshot_id=snapshot.snapshot_id, snapshot_time=made, rows=rows)


# -- what it held ------------------------------------------------------------------------------------


def _days(spark: SparkSession, settings: Settings, origin: Origin, reasons: Reasons) -> tuple[list[Day], str]:
    """Every event day of then, beside what it is now; or none, and why they cannot be read."""
    then = spark.table(_at(settings, origin.commit))
    try:
        held = ledger.by_day(then)
    except (Py4JError, PySparkException) as error:
        if not any(word in str(error) for word in _GONE):
            raise
        return [], f"snapshot {origin.snapshot_id} has expired with its files; it said it had {origin.rows:,} rows"
    return _beside_now(spark, settings, then, held, reasons), ""


def _at(settings: Settings, commit: Commit) -> str:
    """The archive's name at a commit, as Iceberg's catalogue for Nessie reads it."""
    namespace, _, table = settings.archive_table.rpartition(".")
    return f"{namespace}.`{table}@{settings.nessie_ref}#{commit.hash}`"


def _beside_now(spark: SparkSession, settings: Settings, then: DataFrame, held: Sums, reasons: Reasons) -> list[Day]:
    now = spark.table(settings.archive_table) if spark.catalog.tableExists(settings.archive_table) else then.limit(0)
    left = ledger.by_day(now)
    apart = [day for day, sums in held.items() if sums != left.get(day)]
    lost = ledger.lost_by_day(then, now, apart) if apart else {}
    days = []
    for day, (events, digest) in sorted(held.items()):
        events_now, digest_now = left.get(day, (0, 0))
        why = tuple(reasons.get(day, ())) if day in lost else ()
        days.append(Day(day, events, str(digest), events_now, str(digest_now), lost.get(day, 0), why))
    return days


# -- what was deleted since, and why -----------------------------------------------------------------


def _deletions(spark: SparkSession, settings: Settings, moment: datetime) -> list[dict[str, Any]]:
    """What the audit log says of the time since, oldest first, as JSON types; nothing where there is no log."""
    rows = auditlog.entries(spark, settings).where(F.col("time") > F.lit(moment)).collect()
    return [{name: _json(value) for name, value in row.asDict().items()} for row in rows]


def _json(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return value.isoformat() if isinstance(value, date) else value


def _reasons(settings: Settings, deletions: Iterable[Mapping[str, Any]]) -> Reasons:
    """By event day, who deleted it from the archive, when and why."""
    reasons = defaultdict(list)
    for entry in deletions:
        if entry["table_name"] == settings.archive_table and entry["action"] == "retired":
            told = "{rows:,} rows by {who} at {time}, policy {policy}: {reason}".format(**entry)
            reasons[entry["day"]].append(told)
    return reasons
