"""What keeping events costs: an event's bytes in each store, as the stores tell, times the prices in the parameters.

Storage alone: requests, retrieval from a tier, and traffic are not in it. A GB is 2^30 bytes, as clouds bill it.
"""

from dataclasses import dataclass

import pandas as pd
from opensearchpy import OpenSearch

from dualsink import lake, search
from dualsink.errors import PlatformError
from dualsink.settings import Settings

GB = 2**30
YEAR, MONTHS = 365, 12


@dataclass(frozen=True)
class Measured:
    """Events and bytes of both stores; OpenSearch's bytes are those of its primaries, the archive's its data files."""

    hot_events: int
    hot_bytes: int
    archive_events: int
    archive_bytes: int

    def check(self) -> None:
        """Raise PlatformError where a store holds nothing: then there is no size of an event."""
        if not (self.hot_events and self.archive_events):
            raise PlatformError(
                "An event's size is measured, and a store holds none: run 02_produce and 03_stream first."
            )


@dataclass(frozen=True)
class TierCost:
    """What a year's events take in one tier, and what it costs to hold them all for a month and for a year."""

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


def measure(settings: Settings) -> Measured:
    """Ask both stores for what they hold."""
    with search.connect(settings) as client:
        hot = _hot(client, settings)
    return Measured(*hot, *lake.volume(lake.open_archive(settings)))


def _hot(client: OpenSearch, settings: Settings) -> tuple[int, int]:
    search.refresh(client, settings.opensearch_index)
    days = search.day_stats(client, settings.opensearch_index).values()
    return sum(day.documents for day in days), sum(day.bytes for day in days)


def tiers(measured: Measured, settings: Settings) -> list[TierCost]:
    """A year of `cost_events_per_day` in OpenSearch (with replicas), in the archive, and in the tier for old files.

    In a store that holds nothing an event takes nothing.
    """
    hot = measured.hot_bytes / max(measured.hot_events, 1) * (1 + settings.opensearch_replicas)
    cold = measured.archive_bytes / max(measured.archive_events, 1)
    kinds = [
        ("OpenSearch", hot, settings.price_hot_gb_month),
        ("archive", cold, settings.price_archive_gb_month),
        (f"archive, {settings.tier_storage_class or 'cheaper tier'}", cold, settings.price_tier_gb_month),
    ]
    events = settings.cost_events_per_day * YEAR
    return [TierCost(name, size, events * size / GB, price) for name, size, price in kinds]


def table(measured: Measured, settings: Settings) -> pd.DataFrame:
    """One row a tier. Columns: tier, bytes an event, GB of a year, price of a GB-month, cost a month, cost a year."""
    money = settings.price_currency
    rows = [(t.tier, t.bytes_per_event, t.gb, t.price, t.month, t.year) for t in tiers(measured, settings)]
    names = ["tier", "bytes an event", "GB of a year", f"{money} a GB-month", f"{money} a month", f"{money} a year"]
    return pd.DataFrame(rows, columns=names).round({names[1]: 1, names[2]: 1, names[4]: 2, names[5]: 2})


def bills(measured: Measured, settings: Settings) -> pd.DataFrame:
    """What the months of `cost_years` cost, from the first event on, in three ways of keeping every event.

    The index counts months. Columns: everything in OpenSearch; the hot window there and everything in the archive; and
    the same with files moved to the tier after `tier_after_days`.
    """
    hot, cold, tier = tiers(measured, settings)
    months = range(1, settings.cost_years * MONTHS + 1)
    held = {month: month * YEAR / MONTHS for month in months}
    rows = []
    for days in held.values():
        window = _of_days(hot, min(days, settings.hot_days + 1))
        old = max(days - settings.tier_after_days, 0)
        tiered = _of_days(cold, days - old) + _of_days(tier, old)
        rows.append((_of_days(hot, days), window + _of_days(cold, days), window + tiered))
    return pd.DataFrame(rows, index=list(months), columns=["all hot", "hot and archive", "hot, archive and tier"])


def _of_days(tier: TierCost, days: float) -> float:
    """A month's cost of holding the events of so many days."""
    return tier.month * days / YEAR
