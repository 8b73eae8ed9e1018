"""Stores that a search reads: hot tier and archive."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from opensearchpy import OpenSearch
from pyiceberg.table import StaticTable

from dualsink.iceberg import reader
from dualsink.iceberg.archive import Archive
from dualsink.notebook.explorer import cancellation
from dualsink.opensearch import index
from dualsink.opensearch.abort import aborting
from dualsink.opensearch.hot_tier import HotTier
from dualsink.settings import Settings


@dataclass(frozen=True)
class Stores:
    """Stores of one environment: hot tier and archive."""

    environment: str
    hot: HotTier
    archive: Archive

    @classmethod
    def of(cls, settings: Settings) -> "Stores":
        """Return the stores of the settings."""
        return cls(settings.environment, HotTier.of(settings), Archive.of(settings))

    @contextmanager
    def opensearch(self) -> Iterator[OpenSearch]:
        """Open a client for the question that this thread answers.

        Its requests end when that is cancelled.
        """
        with (
            closing(index.connect(self.hot.cluster, timeout=30, serializer=index.ExactSerializer())) as client,
            cancellation.current().ending(aborting(client)),
        ):
            yield client

    def table(self) -> StaticTable:
        """Open the archive; raises as `reader.open_archive` does."""
        return reader.open_archive(self.archive)
