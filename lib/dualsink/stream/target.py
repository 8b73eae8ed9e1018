"""Target of records: archive and hot tier."""

from dataclasses import dataclass

from dualsink.events.reading import Reading
from dualsink.iceberg.archive import Archive
from dualsink.opensearch.hot_tier import HotTier
from dualsink.settings import Settings


@dataclass(frozen=True)
class Target:
    """Target of records, with how they are read.

    Spark's tasks get it as it is: it names secrets and holds none.
    """

    reading: Reading
    archive: Archive
    hot: HotTier

    @classmethod
    def of(cls, settings: Settings) -> "Target":
        """Return the target of the settings.

        The formats of a user's own are read now. Raises SettingsError for what is no declaration.
        """
        return cls(
            Reading.of(settings),
            Archive.of(settings),
            HotTier.of(settings),
        )
