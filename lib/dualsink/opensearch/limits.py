"""Limits of what is sent to OpenSearch."""

from dataclasses import dataclass

from dualsink.settings import Settings


@dataclass(frozen=True)
class Limits:
    """Sizes of a request, patience with the server (seconds), refusals.

    `refused_share` is the share of documents that the mapping may refuse.
    """

    max_bytes: int
    max_documents: int
    deadline: float
    cap: float
    refused_share: float

    @classmethod
    def of(cls, settings: Settings) -> "Limits":
        """Return the limits of the settings."""
        return cls(
            settings.bulk_max_bytes,
            settings.bulk_max_documents,
            settings.retry_deadline_seconds,
            settings.retry_cap_seconds,
            settings.max_refused_share,
        )
