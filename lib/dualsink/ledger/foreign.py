"""Foreign rows: those of no event in Kafka.

They claim an offset of an aborted or a control record, one that Kafka has never given, or a position that no record
has. No command of ours writes such a row. Counted as an event, it would hide that another one is lost.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import BooleanType

from dualsink.events.model import RECORD
from dualsink.iceberg import markers
from dualsink.iceberg.markers import Run
from dualsink.kafka import topic as topics
from dualsink.kafka.topic import Topic
from dualsink.ledger.accounts import Place
from dualsink.ledger.position import Position
from dualsink.ledger.tables import Tables

PLACED = "coalesce(0 <= position AND position < positions, false)"
"""Condition: a row has a position that a record can have."""
NO_RECORD = "Kafka has no record at its offset"
NEVER_GIVEN = "Kafka has never given its offset"
NO_POSITION = "its record has no such position"


@dataclass(frozen=True)
class Judge:
    """Judge of rows by what is known of Kafka's offsets.

    Of pinned tables and a position of the topic.
    """

    topic: Topic
    tables: Tables
    position: Position

    def trouble(self) -> Column:
        """Return why a row is of no event, if so.

        As far as the row's own place says it. Rows between Kafka's first offset and the position are to be compared
        with Kafka's records first: see `unrecorded`.
        """
        return (
            F.when(~F.expr(PLACED), NO_POSITION)
            .when(self.position.never_in_kafka(), NEVER_GIVEN)
            .when(self.position.beyond_kafka() & self.told_as_none(), NO_RECORD)
        )

    def unrecorded(self) -> Column:
        """Condition: a row whose record Kafka lacks never had one.

        Of rows within Kafka's offsets. A topic that is compacted drops records there, all but those offsets that the
        markers know to be none.
        """
        return self.told_as_none() if topics.is_compacted(self.topic) else F.lit(True)

    def told_as_none(self) -> Column:
        """Condition: the markers say that its offset was no record."""
        return _within(self._no_records)("topic_id", "partition", "offset") if self._no_records else F.lit(False)

    @cached_property
    def _no_records(self) -> Mapping[Place, Sequence[Run]]:
        """Offsets of no records, as living snapshots name them."""
        progress = self.position.progress
        wanted = {of for of, parts in progress.items() if any(reach.no_records for reach in parts.values())}
        found: dict[Place, list[Run]] = {}
        for of, partition, run in markers.no_records(self.tables.history(0), wanted):
            found.setdefault((of, partition), []).append(run)
        return {place: markers.merged(runs) for place, runs in found.items()}

    def of(self, rows: DataFrame, records: DataFrame) -> DataFrame:
        """Select foreign rows of the topic, with their `trouble`.

        `records` are all that Kafka has.
        """
        judged = rows.withColumn("trouble", self.trouble())
        absent = judged.where("trouble IS NULL").where(self.position.compared())
        absent = absent.join(records.select(*RECORD), list(RECORD), "left_anti").where(self.unrecorded())
        return judged.where("trouble IS NOT NULL").unionByName(absent.withColumn("trouble", F.lit(NO_RECORD)))


def _within(runs: Mapping[Place, Sequence[Run]]) -> Callable[..., Column]:
    """Return the condition of columns that runs have an offset."""
    ends = {place: np.array(pieces, np.int64).reshape(-1, 2) for place, pieces in runs.items()}

    @F.arrow_udf(BooleanType())  # type: ignore[call-overload]
    def within(topic_id: pa.Array, partition: pa.Array, offset: pa.Array) -> pa.Array:
        places = list(zip(topic_id.to_pylist(), partition.to_pylist(), strict=True))
        offsets, found = offset.fill_null(-1).to_numpy(), np.zeros(len(offset), bool)
        for place in ends.keys() & set(places):
            firsts, lasts = ends[place].T
            of = np.array([each == place for each in places])
            before = np.searchsorted(firsts, offsets, side="right") - 1
            found |= of & (before >= 0) & (offsets <= lasts[before])
        return pa.array(found)

    return within
