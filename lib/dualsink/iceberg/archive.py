"""Archive: its tables by name, its catalogue and its storage."""

from dataclasses import dataclass

from dualsink.iceberg.servers import Catalogue, Storage
from dualsink.settings import Settings


@dataclass(frozen=True)
class Archive:
    """Archive by the full names of its tables.

    `table` holds the events, `quarantine` what was refused, `audit` what was done to both. The `catalogue` knows them,
    their files are in the `warehouse`, a folder of the `storage`.
    """

    table: str
    quarantine: str
    audit: str
    warehouse: str
    catalogue: Catalogue
    storage: Storage

    @classmethod
    def of(cls, settings: Settings) -> "Archive":
        """Return the archive of the settings."""
        return cls(
            settings.archive_table,
            settings.quarantine_table,
            settings.audit_table,
            settings.warehouse,
            Catalogue.of(settings),
            Storage.of(settings),
        )

    @property
    def namespace(self) -> str:
        """Catalogue and namespace of the tables."""
        return self.table.rpartition(".")[0]

    @property
    def written(self) -> tuple[str, str]:
        """Names of the tables that the stream writes."""
        return self.table, self.quarantine
