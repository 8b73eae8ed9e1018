"""Time travel for auditors: the archive at a time.

Nessie's log says which commit its branch was at, and the table is read at that commit. So it is what a reader got then,
whatever has become of today's table. Digests are the ledger's; docs/audit.md says how anyone recomputes them.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from typing import Any

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from dualsink import words
from dualsink.errors import SettingsError
from dualsink.iceberg import policy, reader, snapshots
from dualsink.iceberg.archive import Archive
from dualsink.iceberg.catalog import Commit, Nessie
from dualsink.iceberg.servers import Storage
from dualsink.ledger import digest, seals
from dualsink.operations import audit_log
from dualsink.operations import plan as plan_of

_GONE = ("NotFoundException", "NoSuchKey", "does not exist", "404")

Sums = Mapping[str, tuple[int, int]]
Entry = Mapping[str, Any]
Deeds = Mapping[str, list[Entry]]


@dataclass(frozen=True)
class Origin:
    """Origin of an audit: commit, last change, snapshot and metadata.

    They are the branch's and the table's at the time. `rows` is what the snapshot says of itself, `policy` the
    retention that applied to the table. Fields are None for what is not known any more, or was not there yet.
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
        lines = [f"{name:9} {found.hash} of {found.time}: {found.message}" for name, found in commits.items() if found]
        if self.snapshot_id is not None:
            lines.append(f"snapshot  {self.snapshot_id} of {self.snapshot_time}, {self.rows} rows")
        return "\n".join([*lines, f"policy    {self.policy or 'none was recorded'}"])


@dataclass(frozen=True)
class Day:
    """Event day (UTC): events and digest then and now.

    `lost` of the events of then are gone or altered, `explained` of them by the audit log, whose `reasons` are here.
    """

    day: str
    events: int
    digest: str
    events_now: int
    digest_now: str
    lost: int
    reasons: tuple[str, ...] = ()
    explained: int = 0

    @property
    def verdict(self) -> str:
        """`unchanged`, `grown`, `deleted` with reasons, or `LOST` without.

        One event without a reason makes the day `LOST`.
        """
        if self.lost:
            return "deleted" if self.lost <= self.explained else "LOST"
        return "unchanged" if self.digest == self.digest_now else "grown"

    def __str__(self) -> str:
        meaning = {
            "unchanged": "all of it is there, unaltered",
            "grown": f"all of it is there, unaltered, and {self.events_now - self.events:,} more",
            "deleted": f"{self.lost:,} are gone: {'; '.join(self.reasons)}",
            "LOST": f"{self.lost - self.explained:,} are gone or altered, and the audit log says nothing of it"
            + (f"; {self.explained:,} more: {'; '.join(self.reasons)}" if self.explained else ""),
        }
        return f"{self.verdict:9} {self.day} {self.events:,} events, digest {self.digest}: {meaning[self.verdict]}"


@dataclass(frozen=True)
class Audit(plan_of.Result):
    """Audit: the whole answer.

    `asked` and `taken_at` are UTC. `unreadable` says why there are no days, if that is so.

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
    digest_version: int = digest.VERSION

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
        days = words.count(len(self.days), "day")
        held = f"at {self.asked} the archive held {words.count(self.events, 'event')} of {days}"
        unexplained = f", on {words.count(len(self.unexplained), 'day')} without a reason" if self.unexplained else ""
        lost = sum(day.lost for day in self.days)
        gone = f"{lost:,} {'is' if lost == 1 else 'are'}" if lost else "none is"
        return f"{held}; {gone} gone{unexplained}"

    def lines(self) -> list[str]:
        """Return the archive's origin, then each day."""
        return "\n".join(map(str, [self.origin, *self.days])).splitlines()

    def as_dict(self) -> dict[str, Any]:
        """Return the audit as JSON types.

        Digests are decimal texts, because they exceed JSON's numbers.
        """
        days = [asdict(day) | {"verdict": day.verdict} for day in self.days]
        total = str(sum(int(day.digest) for day in self.days))
        return asdict(self) | {"days": days, "events": self.events, "digest": total}


def moment_of(audit_at: str, now: datetime) -> datetime:
    """Return the time to look at: `audit_at`, else `now`.

    Raises SettingsError for a future one.
    """
    moment = datetime.fromisoformat(audit_at) if audit_at else now
    if moment > now:
        raise SettingsError(f"audit_at {audit_at} is to come: it is {now.isoformat(timespec='seconds')} now.")
    return moment


def take(spark: SparkSession, archive: Archive, audit_at: str = "") -> Audit:
    """Take the audit at `audit_at`, or now if empty.

    Entries of the audit log whose run was cut short are ended first, by what the snapshots say. Raises SettingsError
    for a time that is to come, ServiceUnavailable where the catalogue does not answer.
    """
    now = datetime.now(UTC)
    moment = moment_of(audit_at, now)
    origin, unreadable = _origin(archive, moment)
    audit_log.end_open(spark, archive)
    days, deletions = [], _deletions(spark, archive, moment)
    if origin.snapshot_id is not None and not unreadable:
        at = _at(archive, origin.commit)
        days, unreadable = _days(spark, archive, at, origin, _by_day(archive, deletions))
    return Audit(
        moment.isoformat(),
        now.isoformat(timespec="seconds"),
        archive.table,
        archive.catalogue.ref,
        {"s3.endpoint": archive.storage.endpoint, "s3.region": archive.storage.region},
        origin,
        unreadable,
        days,
        deletions,
    )


# -- origin -----------------------------------------------------------------------------------------


def _origin(archive: Archive, moment: datetime) -> tuple[Origin, str]:
    """Return the archive's origin and, if unreadable, the reason."""
    catalogue = Nessie.of(archive)
    commit = catalogue.commit_at(moment)
    if commit is None:
        return Origin(), f"the branch {catalogue.ref} had no commit yet"
    entry = catalogue.table(commit.hash)
    if entry is None:
        return Origin(commit), f"there was no table {archive.table}"
    origin = Origin(commit, catalogue.last_change(commit), entry["metadataLocation"])
    try:
        return _described(archive.storage, origin), ""
    except FileNotFoundError:
        snapshot = entry["snapshotId"]
        reason = f"the metadata of snapshot {snapshot} is deleted; Nessie still knows the commit"
        return replace(origin, snapshot_id=snapshot), reason


def _described(storage: Storage, origin: Origin) -> Origin:
    """Complete the origin from the table's metadata.

    A table without a snapshot was empty.
    """
    table = reader.open_metadata(storage, origin.metadata_location)
    origin = replace(origin, policy=policy.read(table.properties.get(policy.PROPERTY)))
    snapshot = table.current_snapshot()
    if snapshot is None:
        return origin
    made = datetime.fromtimestamp(snapshot.timestamp_ms / 1000, UTC).isoformat(timespec="milliseconds")
    rows = int(snapshot.summary["total-records"])
    return replace(origin, snapshot_id=snapshot.snapshot_id, snapshot_time=made, rows=rows)


# -- what it held ------------------------------------------------------------------------------------


def _days(spark: SparkSession, archive: Archive, at: str, origin: Origin, deeds: Deeds) -> tuple[list[Day], str]:
    """Return every event day of then beside today's.

    None if they cannot be read, with the reason.
    """
    then = spark.table(at)
    try:
        held = digest.by_day(then)
    except (Py4JError, PySparkException) as error:
        if not any(word in str(error) for word in _GONE):
            raise
        return [], f"snapshot {origin.snapshot_id} has expired with its files; it said it had {origin.rows:,} rows"
    return _beside_now(spark, archive, then, held, deeds), ""


def _at(archive: Archive, commit: Commit) -> str:
    """Return the archive's name at a commit.

    As Iceberg's catalogue for Nessie reads it.
    """
    namespace, _, table = archive.table.rpartition(".")
    return f"{namespace}.`{table}@{archive.catalogue.ref}#{commit.hash}`"


def _beside_now(spark: SparkSession, archive: Archive, then: DataFrame, held: Sums, deeds: Deeds) -> list[Day]:
    there = spark.catalog.tableExists(archive.table)
    now = snapshots.pinned(spark, archive.table) if there else then.limit(0)
    left = digest.by_day(now)
    apart = [day for day, sums in held.items() if sums != left.get(day)]
    lost = digest.lost_by_day(then, now, apart) if apart else {}
    days = []
    for day, (events, total) in sorted(held.items()):
        events_now, digest_now = left.get(day, (0, 0))
        of_day = deeds.get(day, []) if day in lost else []
        explained = _explained(spark, archive, then, of_day, day, lost[day]) if of_day else 0
        why = tuple(map(_REASON.format_map, of_day))
        days.append(Day(day, events, str(total), events_now, str(digest_now), lost.get(day, 0), why, explained))
    return days


def _explained(
    spark: SparkSession, archive: Archive, then: DataFrame, deeds: Sequence[Entry], day: str, lost: int
) -> int:
    """Count a day's lost events that the log explains.

    Events that came later may be among a deed's rows, so its snapshots say what it took; where they have expired, its
    count is all that is known.
    """
    known = {snapshot.id for snapshot in snapshots.ancestors(spark, archive.table)}
    counts = {(deed["snapshot_before"], deed["snapshot_after"]): 0 for deed in deeds}
    for deed in deeds:
        counts[deed["snapshot_before"], deed["snapshot_after"]] += deed["rows"]
    if sum(counts.values()) >= lost:
        for ends in counts:
            if known.issuperset(ends):
                before, after = (snapshots.as_of(spark, archive.table, end) for end in ends)
                counts[ends] = digest.taken_away(then, before, after, day)
    return min(lost, sum(counts.values()))


# -- what was deleted since, and why -----------------------------------------------------------------


def _deletions(spark: SparkSession, archive: Archive, moment: datetime) -> list[dict[str, Any]]:
    """Return the audit log's deeds since, as JSON types.

    Oldest first; none without a log.
    """
    since = (F.col("time") > F.lit(moment)) & (F.col("action") != seals.ACTION)
    rows = audit_log.entries(spark, archive).where(since).drop(*seals.COLUMNS).collect()
    return [{name: _json(value) for name, value in row.asDict().items()} for row in rows]


def _json(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return value.isoformat() if isinstance(value, date) else value


_REASON = "{rows:,} rows {action} by {who} at {time}, policy {policy}: {reason}"


def _by_day(archive: Archive, deletions: Iterable[Entry]) -> Deeds:
    """Return deeds that took rows away, by event day."""
    deeds = defaultdict(list)
    for entry in deletions:
        if entry["table_name"] == archive.table and entry["action"] in audit_log.TAKES_AWAY:
            deeds[entry["day"]].append(entry)
    return deeds
