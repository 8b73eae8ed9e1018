"""Archive and quarantine at one moment."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import dropwhile

from pyspark.sql import DataFrame, SparkSession

from dualsink.events.model import IDENTITY
from dualsink.iceberg import markers, quarantine, snapshots
from dualsink.iceberg.archive import Archive
from dualsink.iceberg.markers import Progress
from dualsink.iceberg.snapshots import Snapshot


@dataclass(frozen=True)
class Tables:
    """Archive and quarantine as they were at one moment.

    Whatever is committed later. `names` are the tables' own, `snapshots` the ids of both, None for a table without one.
    """

    archive: DataFrame
    quarantine: DataFrame
    names: Archive
    snapshots: tuple[int | None, int | None]

    @classmethod
    def pinned(cls, spark: SparkSession, archive: Archive) -> "Tables":
        """Pin both tables as they are now.

        The archive first: a batch is committed to it before it is to the quarantine.
        """
        rows, kept = (snapshots.current(spark, table) for table in archive.written)
        return cls(
            snapshots.as_of(spark, archive.table, rows),
            snapshots.as_of(spark, archive.quarantine, kept),
            archive,
            (rows, kept),
        )

    def hot_refusals(self) -> DataFrame:
        """Select events that OpenSearch refused for good, by IDENTITY.

        They wait for a re-drive.
        """
        return self.quarantine.where(quarantine.unresolved(quarantine.HOT)).select(*IDENTITY).distinct()

    def progress(self, topic: str) -> Progress | None:
        """Return the stream's progress in a topic, if marked.

        Up to its newest batch that is whole in both tables. None if no marker says it.
        """
        complete = markers.complete(self.history(0), lambda: self.history(1), topic)
        return markers.progress(complete, topic)

    def held(self, topic: str) -> Progress:
        """Return the progress that the rows imply."""
        return markers.held((self.archive, self.quarantine), topic)

    def history(self, number: int) -> Iterator[Snapshot]:
        """Return the snapshots of archive (0) or quarantine (1).

        Newest first, from the pinned one on.
        """
        spark, pinned = self.archive.sparkSession, self.snapshots[number]
        if pinned is None:
            return iter(())
        ancestors = snapshots.ancestors(spark, self.names.written[number])
        return dropwhile(lambda snapshot: snapshot.id != pinned, ancestors)
