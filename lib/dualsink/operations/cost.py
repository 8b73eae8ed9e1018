"""Cost of keeping events: measured bytes times given prices.

Storage alone: requests, retrieval from a tier, and traffic are not in it. A GB is 2^30 bytes, as clouds bill it.
"""

from dataclasses import dataclass

import pandas as pd
from opensearchpy import OpenSearch

from dualsink.errors import PlatformError
from dualsink.iceberg import reader
from dualsink.iceberg.archive import Archive
from dualsink.opensearch import index
from dualsink.opensearch.hot_tier import HotTier
from dualsink.settings import Settings

GB = 2**30
YEAR, MONTHS = 365, 12


@dataclass(frozen=True)
class Measured:
    """Measured events and bytes of both stores.

    OpenSearch's bytes are those of its primaries, the archive's its data files.
    """

    hot_events: int
    hot_bytes: int
    archive_events: int
    archive_bytes: int

    def check(self) -> None:
        """Raise PlatformError if a store is empty.

        It then has no size of an event.
        """
        if not (self.hot_events and self.archive_events):
            raise PlatformError(
                "An event's size is measured, and a store holds none: run 02_produce and 03_stream first."
            )


_NO_TIER = "cheaper tier"


@dataclass(frozen=True)
class Assumptions:
    """Assumptions that a cost rests on: volume, ages, prices.

    Prices are of a GB for a month, in the hot tier (each of its `copies`), in the archive and in the tier for old
    files, where a file moves after `tier_after_days`.
    """

    events_per_day: int
    years: int
    hot_days: int
    tier_after_days: int
    copies: int
    tier: str
    price_hot: float
    price_archive: float
    price_tier: float
    currency: str

    @classmethod
    def of(cls, settings: Settings) -> "Assumptions":
        """Return the assumptions of the settings."""
        return cls(
            settings.cost_events_per_day,
            settings.cost_years,
            settings.hot_days,
            settings.tier_after_days,
            1 + settings.opensearch_replicas,
            settings.tier_storage_class or _NO_TIER,
            settings.price_hot_gb_month,
            settings.price_archive_gb_month,
            settings.price_tier_gb_month,
            settings.price_currency,
        )

    @property
    def kept(self) -> str:
        """Configured way of keeping events, a column of `bills`."""
        return "hot and archive" if self.tier == _NO_TIER else "hot, archive and cheaper tier"


@dataclass(frozen=True)
class TierCost:
    """Yearly volume of one tier, and its cost.

    The cost is of holding all of it for a month and for a year.
    """

    tier: str
    bytes_per_event: float
    gb: float
    price: float

    @property
    def month(self) -> float:
        """Cost of a month."""
        return self.gb * self.price

    @property
    def year(self) -> float:
        """Cost of a year."""
        return self.month * MONTHS


def measure(archive: Archive, hot: HotTier) -> Measured:
    """Ask both stores for what they hold."""
    with index.connect(hot.cluster) as client:
        in_hot = _hot(client, hot.alias)
    return Measured(*in_hot, *reader.volume(reader.open_archive(archive)))


def _hot(client: OpenSearch, alias: str) -> tuple[int, int]:
    index.refresh(client, alias)
    days = index.day_stats(client, alias).values()
    return sum(day.documents for day in days), sum(day.bytes for day in days)


def tiers(measured: Measured, given: Assumptions) -> list[TierCost]:
    """Compute a year of events in every tier.

    OpenSearch (with replicas), the archive, and the tier for old files.

    In a store that holds nothing an event takes nothing.
    """
    hot = measured.hot_bytes / max(measured.hot_events, 1) * given.copies
    cold = measured.archive_bytes / max(measured.archive_events, 1)
    kinds = [
        ("OpenSearch", hot, given.price_hot),
        ("archive", cold, given.price_archive),
        (f"archive, {given.tier}", cold, given.price_tier),
    ]
    events = given.events_per_day * YEAR
    return [TierCost(name, size, events * size / GB, price) for name, size, price in kinds]


def table(measured: Measured, given: Assumptions) -> pd.DataFrame:
    """Return one row a tier.

    Columns: tier, bytes an event, GB of a year, price of a GB-month, cost a month, cost a year.
    """
    money = given.currency
    rows = [(t.tier, t.bytes_per_event, t.gb, t.price, t.month, t.year) for t in tiers(measured, given)]
    names = ["tier", "bytes an event", "GB of a year", f"{money} a GB-month", f"{money} a month", f"{money} a year"]
    return pd.DataFrame(rows, columns=names).round({names[1]: 1, names[2]: 1, names[4]: 2, names[5]: 2})


def bills(measured: Measured, given: Assumptions) -> pd.DataFrame:
    """Compute the bills of some years, month by month.

    From the first event on, in three ways of keeping every event.

    The index counts months. Columns: everything in OpenSearch; the hot window there and everything in the archive; and
    the same with files moved to the tier after `tier_after_days`.
    """
    hot, cold, tier = tiers(measured, given)
    months = range(1, given.years * MONTHS + 1)
    held = {month: month * YEAR / MONTHS for month in months}
    rows = []
    for days in held.values():
        window = _of_days(hot, min(days, given.hot_days + 1))
        old = max(days - given.tier_after_days, 0)
        tiered = _of_days(cold, days - old) + _of_days(tier, old)
        rows.append((_of_days(hot, days), window + _of_days(cold, days), window + tiered))
    return pd.DataFrame(
        rows, index=list(months), columns=["all hot", "hot and archive", "hot, archive and cheaper tier"]
    )


def _of_days(tier: TierCost, days: float) -> float:
    """Return a month's cost of a number of days' events."""
    return tier.month * days / YEAR
