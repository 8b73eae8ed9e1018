"""Cost is arithmetic on measured sizes: it follows volume, price and age, and each way of keeping is cheaper."""

from dataclasses import replace

import pytest

from dualsink.notebook import plots
from dualsink.operations import cost
from dualsink.operations.cost import GB, Assumptions, Measured
from dualsink.settings import Settings

MEASURED = Measured(hot_events=1000, hot_bytes=200_000, archive_events=2000, archive_bytes=100_000)
GIVEN = Assumptions.of(
    Settings(
        cost_events_per_day=1_000_000,
        price_hot_gb_month=0.2,
        price_archive_gb_month=0.02,
        price_tier_gb_month=0.004,
        tier_storage_class="GLACIER",
    )
)


def test_a_years_volume_and_cost_follow_from_bytes_an_event():
    hot, archive, tier = cost.tiers(MEASURED, GIVEN)
    assert (hot.bytes_per_event, archive.bytes_per_event, tier.bytes_per_event) == (200, 50, 50)
    assert hot.gb == pytest.approx(365e6 * 200 / GB)
    assert hot.year == pytest.approx(hot.gb * 0.2 * 12)
    assert tier.month == pytest.approx(archive.month / 5)
    assert tier.tier == "archive, GLACIER"


def test_replicas_are_paid_for():
    double = replace(GIVEN, copies=2)
    assert cost.tiers(MEASURED, double)[0].gb == 2 * cost.tiers(MEASURED, GIVEN)[0].gb


def test_the_bill_of_the_last_month_of_a_year_is_that_of_a_years_events():
    bills, hot = cost.bills(MEASURED, GIVEN), cost.tiers(MEASURED, GIVEN)[0]
    assert bills.loc[12, "all hot"] == pytest.approx(hot.month)
    assert list(bills.index) == list(range(1, 85))


def test_a_tier_begins_to_pay_after_its_days_and_not_before():
    bills = cost.bills(MEASURED, GIVEN)
    assert bills.loc[12, "hot and archive"] == pytest.approx(bills.loc[12, "hot, archive and cheaper tier"])
    later = bills.loc[13:]
    assert (later["hot, archive and cheaper tier"] < later["hot and archive"]).all()
    assert (later["hot and archive"] < later["all hot"]).all()


def test_the_table_names_its_currency():
    table = cost.table(MEASURED, replace(GIVEN, currency="EUR"))
    assert [name for name in table.columns if "EUR" in name] == ["EUR a GB-month", "EUR a month", "EUR a year"]
    assert list(table["tier"]) == ["OpenSearch", "archive", "archive, GLACIER"]


def test_the_picture_says_what_the_last_month_costs_against_all_hot():
    bills = cost.bills(MEASURED, GIVEN)
    figure = plots.cost(cost.tiers(MEASURED, GIVEN), bills, GIVEN)
    share = bills.iloc[-1, 2] / bills.iloc[-1, 0]
    assert [axes.get_title(loc="left") for axes in figure.axes] == [
        "A year of 1 M events a day",
        f"After 7 years a month costs {share:.0%} of all hot",
    ]


def test_the_picture_speaks_of_a_tier_only_where_one_is_configured():
    given = replace(GIVEN, tier=Assumptions.of(Settings()).tier)
    bills = cost.bills(MEASURED, given)
    share = bills["hot and archive"].iloc[-1] / bills["all hot"].iloc[-1]
    assert f"{share:.0%}" != f"{bills['hot, archive and cheaper tier'].iloc[-1] / bills['all hot'].iloc[-1]:.0%}"
    title = plots.cost(cost.tiers(MEASURED, given), bills, given).axes[1].get_title(loc="left")
    assert title == f"After 7 years a month costs {share:.0%} of all hot"


def test_prices_of_nothing_make_a_picture_too():
    free = replace(GIVEN, price_hot=0.0, price_archive=0.0, price_tier=0.0)
    assert plots.cost(cost.tiers(MEASURED, free), cost.bills(MEASURED, free), free).axes
