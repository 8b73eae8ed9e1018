"""Reverted batches: committed once, and in no table any more.

A table that was rolled back, or its branch, has its older markers again, by which nothing is wrong: what came later
seems to wait for the stream. Others remember: the snapshots that are ancestors no longer, the seals, and the offsets
that a checkpoint has committed, which Spark does once the batch is in the tables. Documents do not tell it, for they
are sent before the commit.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from dualsink.iceberg import markers, snapshots
from dualsink.iceberg.markers import Progress, Reach
from dualsink.ledger.book import BOTH_TABLES, NAMED_AT_MOST, Finding
from dualsink.ledger.position import Position
from dualsink.ledger.seals import Seal
from dualsink.ledger.tables import Tables
from dualsink.ledger.verdicts import MISSING

_NOTE = "committed once and gone since: a table or its branch was rolled back"


def progress(tables: Tables, topic: str) -> Progress:
    """Return a topic's progress that snapshots once said.

    By those of both tables that were rolled back and have not expired.
    """
    spark = tables.archive.sparkSession
    gone = (snapshot for table in tables.names.written for snapshot in snapshots.rolled_back(spark, table))
    found: dict[str, dict[int, Reach]] = {}
    for snapshot in gone:
        for topic_id, parts in (markers.progress([snapshot], topic) or {}).items():
            of = found.setdefault(topic_id, {})
            of.update({p: each for p, each in parts.items() if p not in of or of[p].last < each.last})
    return found


def remembering(position: Position, once: Progress) -> Position:
    """Return the position with earlier incarnations as they were read.

    What the tables held of them is lost, now that no marker says it.
    """
    known = dict(position.progress)
    for topic_id in once.keys() - {position.topic_id}:
        now = known.get(topic_id, {})
        further = {p: each for p, each in once[topic_id].items() if p not in now or now[p].last < each.last}
        known[topic_id] = {**now, **further}
    return replace(position, progress=known)


def offsets(
    position: Position, once: Progress, seals: Iterable[Seal], committed: Mapping[int, int],
    again: Callable[[], Position],
) -> dict[int, tuple[int, int]]:  # fmt: skip
    """Return offsets that were committed and that no marker reaches.

    By partition, the end excluded, of those that Kafka still has. `committed` are the next offsets of a checkpoint.
    `again` returns a position of the tables as they are now: a batch that was committed meanwhile was not reverted.
    """
    if not position.marked and position.topic_id in position.progress:
        return {}  # The markers have expired; rows do not say that offsets after the last one are no records.
    ends = dict(committed)
    for number, end in _told(position.topic_id, once, seals):
        ends[number] = max(end, ends.get(number, end))
    found = position.lacking_before(ends)
    if not found:
        return {}
    now = again().lacking_before(ends)
    return {p: now[p] for p in found if p in now}


def _told(topic_id: str, once: Progress, seals: Iterable[Seal]) -> Iterator[tuple[int, int]]:
    yield from ((p, reach.last + 1) for p, reach in once.get(topic_id, {}).items())
    for seal in seals:
        if seal.topic_id == topic_id:
            yield from seal.read_up_to.items()


def report(position: Position, gone: Mapping[int, tuple[int, int]]) -> list[Finding]:
    """Report reverted offsets, which the stream writes again.

    Some may be no records.
    """
    names = [f"{position.topic}-{p}-{first} to {end - 1}" for p, (first, end) in gone.items()]
    count = sum(end - first for first, end in gone.values())
    shown = tuple(names[:NAMED_AT_MOST])
    return [Finding(MISSING, BOTH_TABLES, count, names=shown, note=_NOTE, command="stream")] if count else []
