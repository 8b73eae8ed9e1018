"""Markers: how far the stream has come, said by snapshots.

A batch's commit carries, for every incarnation of its topic and every partition, which offsets were ever read and how
many of them were no records (transaction control, aborted, compacted away). Each marker repeats the sum of all before
it: the newest one is enough, whatever snapshots have expired. `no-records` names those offsets of its own batch.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from dualsink.iceberg.snapshots import Snapshot

PREFIX = "dualsink."
Run = tuple[int, int]
"""Consecutive offsets, both ends inclusive."""
_NAMED_AT_MOST = 1_000
_BATCH = ("query-id", "batch-id", "offsets")


@dataclass(frozen=True)
class Reach:
    """Offsets ever read of one partition, ends included.

    `no_records` counts those among them that were no records when they were read.
    """

    first: int
    last: int
    no_records: int = 0

    def extended(self, planned: Run, found: Sequence[Run]) -> "Reach":
        """Return the reach after a batch.

        What was read before is not counted again. `planned` are the batch's offsets, `found` those of its records.
        """
        first = max(planned[0], self.last + 1)
        if first > planned[1]:
            return self
        return Reach(self.first, planned[1], self.no_records + size(gaps((first, planned[1]), found)))


ADDED = Reach(0, -1)
"""Reach of a partition that no marker of its incarnation names: it was added since, and nothing of it was read."""
Progress = Mapping[str, Mapping[int, Reach]]
"""Reach of each partition, by topic id: all incarnations of one topic."""


def extended(
    before: Progress, topic_id: str, begins: Mapping[int, int], planned: Mapping[int, Run],
    found: Mapping[int, Sequence[Run]],
) -> Progress:  # fmt: skip
    """Return the progress after a batch.

    By partition, as `Reach.extended` takes it. `begins` are the first offsets of the batch in all partitions of the
    topic: of one that has no record yet it is said as well from where on nothing may be lost.
    """
    known = before.get(topic_id, {})
    untouched = {p: ADDED if known else Reach(first, first - 1) for p, first in begins.items()}
    reached = {**untouched, **known}
    return {
        **before,
        topic_id: {**reached, **{p: reached[p].extended(r, found.get(p, ())) for p, r in planned.items()}},
    }


def held(tables: Iterable[DataFrame], topic: str) -> Progress:
    """Return the progress that rows of archive and quarantine imply.

    For tables whose markers are gone; every offset between the lowest and the highest counts as a record.
    """
    ends = [F.min("offset").alias("first"), F.max("offset").alias("last")]
    found: dict[str, dict[int, Reach]] = {}
    for table in tables:
        for row in table.where(F.col("topic") == topic).groupBy("topic_id", "partition").agg(*ends).collect():
            reach = found.setdefault(row.topic_id, {}).get(row.partition, Reach(row.first, row.last))
            found[row.topic_id][row.partition] = Reach(min(reach.first, row.first), max(reach.last, row.last))
    return found


def progress(ancestors: Iterable[Snapshot], topic: str) -> Progress | None:
    """Return the newest recorded progress of a topic.

    None if no snapshot says it. `ancestors` come newest first.
    """
    found = (_value(snapshot, "progress").get(topic) for snapshot in ancestors)
    recorded = next((each for each in found if each), None)
    if recorded is None:
        return None
    return {of: {int(p): Reach(*reach) for p, reach in parts.items()} for of, parts in recorded.items()}


def properties(
    topic: str, topic_id: str, before: Progress, begins: Mapping[int, int], planned: Mapping[int, Run],
    found: Mapping[int, Sequence[Run]],
) -> dict[str, str]:  # fmt: skip
    """Return a marker's properties about the batch's records."""
    after = extended(before, topic_id, begins, planned, found)
    written = {of: {str(p): [r.first, r.last, r.no_records] for p, r in parts.items()} for of, parts in after.items()}
    none = {p: gaps(run, found.get(p, ())) for p, run in planned.items()}
    named = {topic_id: {str(p): runs[:_NAMED_AT_MOST] for p, runs in none.items() if runs}}
    more = {f"{PREFIX}no-records": json.dumps(named)} if named[topic_id] else {}
    return {f"{PREFIX}progress": json.dumps({topic: written}, sort_keys=True), **more}


def quarantine_follows(whether: bool) -> dict[str, str]:
    """Return the property of a marker that the quarantine follows."""
    return {f"{PREFIX}quarantine": "follows"} if whether else {}


def complete(
    ancestors: Iterable[Snapshot], quarantine: Callable[[], Iterable[Snapshot]], topic: str
) -> Iterator[Snapshot]:
    """Yield snapshots from the topic's newest complete batch on.

    They are the archive's. A batch is under way, or was cut short, while the quarantine lacks the commit that follows.
    `quarantine` returns that table's snapshots, newest first. What else was committed since, by maintenance or for
    other topics, says nothing about it.
    """
    history = iter(ancestors)
    for snapshot in history:
        whole = f"{PREFIX}quarantine" not in snapshot.summary or _followed(snapshot, quarantine())
        if whole and topic in _value(snapshot, "progress"):
            yield snapshot
            break
    yield from history


def _followed(marker: Snapshot, quarantine: Iterable[Snapshot]) -> bool:
    oldest = None
    for oldest in quarantine:
        if all(oldest.summary.get(f"{PREFIX}{name}") == marker.summary.get(f"{PREFIX}{name}") for name in _BATCH):
            return True
        if oldest.made_at < marker.made_at:
            return False
    return oldest is not None and oldest.parent is not None  # what was before has expired


def no_records(ancestors: Iterable[Snapshot], topic_ids: Set[str]) -> Iterator[tuple[str, int, Run]]:
    """Yield topic id, partition and offsets that were no records.

    As living snapshots name them: at most 1,000 ranges of each batch and partition.
    """
    for snapshot in ancestors if topic_ids else ():
        told = _value(snapshot, "no-records")
        for topic_id in told.keys() & topic_ids:
            for partition, runs in told[topic_id].items():
                yield from ((topic_id, int(partition), (first, last)) for first, last in runs)


def _value(snapshot: Snapshot, name: str) -> dict[str, Any]:
    return json.loads(snapshot.summary.get(f"{PREFIX}{name}") or "{}")


# -- offsets -----------------------------------------------------------------------------------------


def runs(offsets: np.ndarray) -> list[Run]:
    """Return the runs of some offsets, in order."""
    if not len(offsets):
        return []
    ordered = np.sort(offsets)
    breaks = np.flatnonzero(np.diff(ordered) > 1)
    first, last = ordered[np.r_[0, breaks + 1]], ordered[np.r_[breaks, len(ordered) - 1]]
    return list(zip(first.tolist(), last.tolist(), strict=True))


def merged(pieces: Iterable[Run]) -> list[Run]:
    """Merge runs that touch or overlap; returns them in order."""
    found: list[Run] = []
    for first, last in sorted(pieces):
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(last, found[-1][1]))
        else:
            found.append((first, last))
    return found


def gaps(whole: Run, pieces: Iterable[Run]) -> list[Run]:
    """Return what of a range no piece covers."""
    found, begin = [], whole[0]
    for first, last in merged(pieces):
        if first > begin:
            found.append((begin, min(first - 1, whole[1])))
        begin = max(begin, last + 1)
        if begin > whole[1]:
            break
    if begin <= whole[1]:
        found.append((begin, whole[1]))
    return [run for run in found if run[0] <= run[1]]


def text(run: Run) -> str:
    """Write a run as people do."""
    return f"{run[0]}" if run[0] == run[1] else f"{run[0]} to {run[1]}"


def size(pieces: Iterable[Run]) -> int:
    """Count the offsets of runs that do not overlap."""
    return sum(last - first + 1 for first, last in pieces)
