"""Hot tier: cluster, names, shape and ages of its indices."""

from dataclasses import dataclass

from dualsink.opensearch.cluster import Cluster
from dualsink.opensearch.limits import Limits
from dualsink.settings import Settings


@dataclass(frozen=True)
class HotTier:
    """Hot tier: an alias over one index a day (UTC).

    `cluster` has it, `limits` are those of what is sent to it. `days` is the age at which a day expires, `merge_days`
    that at which it is merged to one segment, and with `read_only` takes no more writes; a rehydrated day expires after
    `rehydrated_days`. After a day of more than `shard_gb` GiB a shard the next days get more than `shards`.
    """

    cluster: Cluster
    limits: Limits
    alias: str
    rehydrated: str
    shards: int
    replicas: int
    shard_gb: float
    refresh_interval: str
    codec: str
    days: int
    merge_days: int
    read_only: bool
    rehydrated_days: int

    @classmethod
    def of(cls, settings: Settings) -> "HotTier":
        """Return the hot tier of the settings."""
        return cls(
            Cluster.of(settings),
            Limits.of(settings),
            settings.opensearch_index,
            settings.rehydrated_prefix,
            settings.opensearch_shards,
            settings.opensearch_replicas,
            settings.hot_shard_gb,
            settings.opensearch_refresh_interval,
            settings.opensearch_codec,
            settings.hot_days,
            settings.hot_merge_days,
            settings.hot_read_only,
            settings.rehydrated_days,
        )

    @property
    def prefixes(self) -> tuple[str, str]:
        """Prefixes of day indices: of days, and of rehydrated days."""
        return self.alias, self.rehydrated
