"""Pictures for the notebooks. Every function returns a matplotlib Figure, or a table to look at; times are UTC."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import matplotlib.dates as mdates
import matplotlib.pyplot as plt
import pandas as pd
from IPython.display import display
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from pandas.io.formats.style import Styler

from dualsink.audit import Audit
from dualsink.batch import BatchReport
from dualsink.chaos.outcome import Counts, Outcome
from dualsink.cost import TierCost
from dualsink.ledger import Ledger
from dualsink.maintenance import Measured
from dualsink.palette import ARCHIVE_COLOUR, HOT_COLOUR, LEVEL_COLOURS, TIER_COLOUR
from dualsink.questions import ERRORS
from dualsink.settings import Settings

LEG_STYLES = {
    "parse": ("#7a7a7a", "o", "-"),
    "documents": ("#6f4a8e", "D", ":"),
    "archive": (ARCHIVE_COLOUR, "s", "-"),
    "send": (HOT_COLOUR, "^", "-"),
}
_TIER_COLOURS = (HOT_COLOUR, ARCHIVE_COLOUR, TIER_COLOUR)
_FONT = {
    "font.size": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "figure.dpi": 110,
}
_HOLDS, _DIFFERS = "background-color: #d8f0dd; color: #12492a", "background-color: #f9d5d5; color: #7a1020"
_DAYS_SHOWN = 14


def levels_over_time(counts: pd.DataFrame) -> Figure:
    """Stacked bars of events by level over time; `counts` has the columns time, level, events."""
    figure, (axes,) = _figure(11, 4)
    if counts.empty:
        return _nothing(figure, axes, "No events yet")
    table = counts.pivot_table(index="time", columns="level", values="events", aggfunc="sum", fill_value=0)
    table = table.reindex(columns=[level for level in LEVEL_COLOURS if level in table.columns])
    width = _bar_width(table.index)
    base = pd.Series(0, index=table.index)
    for level in table.columns:
        axes.bar(table.index, table[level], width, bottom=base, color=LEVEL_COLOURS[level], label=level, align="edge")
        base = base + table[level]
    _title(axes, _errors_over_time(table))
    axes.set_ylabel(f"events per {_spoken(width)}")
    axes.set_ylim(0, base.max() * 1.06)
    _utc_axis(axes, table.index[0], table.index[-1] + width)
    _count_axis(axes)
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(handles[::-1], labels[::-1], loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    return figure


def errors_per_service(errors: pd.DataFrame) -> Figure:
    """Bars of errors by service, most first; `errors` has the columns service, errors, hosts."""
    shown = errors.head(15)[::-1]
    figure, (axes,) = _figure(9, 1.4 + 0.42 * max(len(shown), 2))
    if errors.empty:
        return _nothing(figure, axes, "No service reports an error")
    bars = axes.barh(shown["service"], shown["errors"], color=LEVEL_COLOURS["ERROR"])
    notes = [f"{row.errors:,} on {row.hosts:,} host{'s' if row.hosts != 1 else ''}" for row in shown.itertuples()]
    axes.bar_label(bars, notes, padding=4, fontsize=10)
    first, total = errors.iloc[0], errors["errors"].sum()
    _title(axes, f"{first.service} fails most: {first.errors:,} of {total:,} errors")
    axes.set_xlabel("events at ERROR or FATAL")
    axes.margins(x=0.2)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.tick_params(axis="y", length=0)
    return figure


def hot_against_archive(hot: pd.DataFrame, archive: pd.DataFrame, hot_days: int) -> Figure:
    """Both stores' events by event day, side by side; both frames have the columns day, events.

    Days older than `hot_days` before today belong to the archive alone. The newest fourteen days are drawn.
    """
    figure, (axes,) = _figure(10, 4)
    table = pd.DataFrame({"archive": archive.set_index("day").events, "OpenSearch": hot.set_index("day").events})
    table = table.fillna(0).astype("int64").sort_index()
    if table.empty:
        return _nothing(figure, axes, "No events yet")
    shown = table.tail(_DAYS_SHOWN)
    for i, (store, colour) in enumerate({"archive": ARCHIVE_COLOUR, "OpenSearch": HOT_COLOUR}.items()):
        places = [x + 0.4 * i for x in range(len(shown))]
        bars = axes.bar(places, shown[store], 0.38, color=colour, label=store, align="edge")
        axes.bar_label(bars, [f"{n:,}" for n in shown[store]], padding=2, fontsize=9 if len(shown) < 8 else 7)
    axes.set_xticks([x + 0.39 for x in range(len(shown))], [f"{day:%d %b\n%Y}" for day in shown.index])
    _title(axes, _comparison(table, hot_days))
    axes.set(ylabel="events", xlabel="day of the event (UTC)")
    axes.margins(y=0.12)
    axes.set_xlim(-0.3, max(len(shown), 3) + 0.1)
    _count_axis(axes)
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    return figure


# -- the stream while it runs --------------------------------------------------------------------------


class LivePicture:
    """Speed, seconds by leg and backlog of every batch.

    With `live`, the picture is shown at once and redrawn after each batch; else `show` draws it once at the end,
    which is what a notebook run by papermill wants.
    """

    def __init__(self, live: bool):
        self._batches: list[tuple[BatchReport, float]] = []
        self.figure, self._axes = _figure(12, 3.6, panels=3)
        self._draw()
        self._handle = display(self.figure, display_id=True) if live else None

    def update(self, batch: BatchReport, waiting: int | None) -> None:
        """Take a batch in, and the records that wait after it (None: unknown). May be called from any thread."""
        self._batches.append((batch, math.nan if waiting is None else waiting))
        if self._handle:
            self._draw()
            self._handle.update(self.figure)

    def show(self) -> None:
        """The finished picture, where it has not been on show all along."""
        if self._handle is None:
            self._draw()
            display(self.figure)

    def _draw(self) -> None:
        for axes in self._axes:
            axes.clear()
        if not self._batches:
            _nothing(self.figure, self._axes[0], "No batch yet")
            return
        numbers = [batch.batch_id for batch, _ in self._batches]
        self._draw_speed(self._axes[0], numbers)
        self._draw_legs(self._axes[1], numbers)
        self._draw_backlog(self._axes[2], numbers)
        for axes in self._axes:
            axes.set_axis_on()
            axes.set_xlim(numbers[0] - 0.6, max(numbers[-1], numbers[0] + 3) + 0.6)
            axes.set_ylim(bottom=0)
            axes.set_xlabel("batch")
            axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))

    def _draw_speed(self, axes: Axes, numbers: list[int]) -> None:
        speeds = [batch.events / max(_elapsed(batch), 0.001) for batch, _ in self._batches]
        axes.bar(numbers, speeds, color=LEVEL_COLOURS["INFO"], width=0.7)
        events = sum(batch.events for batch, _ in self._batches)
        _title(axes, f"{_short(events)} events, up to {_short(max(speeds))}/s")
        axes.set_ylabel("events per second")
        _count_axis(axes)

    def _draw_legs(self, axes: Axes, numbers: list[int]) -> None:
        for leg, (colour, marker, line) in LEG_STYLES.items():
            seconds = [batch.cpu_seconds.get(leg, 0.0) for batch, _ in self._batches]
            axes.plot(
                numbers, seconds, color=colour, marker=marker, linestyle=line, markersize=5, label=leg, clip_on=False
            )
        totals = {leg: sum(batch.cpu_seconds.get(leg, 0.0) for batch, _ in self._batches) for leg in LEG_STYLES}
        _title(axes, f"Most work is: {max(totals, key=totals.get)}")
        axes.set_ylabel("CPU seconds of the tasks")
        axes.legend(frameon=False, fontsize=9, labelspacing=0.2)

    def _draw_backlog(self, axes: Axes, numbers: list[int]) -> None:
        waiting = [behind for _, behind in self._batches]
        axes.plot(numbers, waiting, color="#333333", marker="o", markersize=5, clip_on=False)
        axes.fill_between(numbers, waiting, color="#333333", alpha=0.12)
        _title(axes, "Kafka did not answer" if math.isnan(waiting[-1]) else f"{waiting[-1]:,} waiting in Kafka")
        axes.set_ylabel("records")
        axes.set_ylim(0, max([1, *(each for each in waiting if not math.isnan(each))]) * 1.1)
        _count_axis(axes)


def _elapsed(batch: BatchReport) -> float:
    """Wall seconds of a batch, whose steps follow each other."""
    return sum(batch.seconds.values())


# -- the ledger as tables ------------------------------------------------------------------------------


def partitions_table(ledger: Ledger) -> Styler:
    """Statement 1 by partition: what Kafka holds, and where each record went. Rows say `holds` or `differs`."""
    rows = [
        {
            "partition": f"{line.topic}-{line.partition}",
            "offsets": f"{line.beginning:,} to {line.end - 1:,}" if line.end > line.beginning else "none",
            "records in Kafka": line.kafka,
            "in archive": line.archive,
            "in quarantine": line.quarantine,
            "verdict": _verdict(line.holds),
        }
        for line in ledger.partitions
    ]
    return _coloured(rows, "Statement 1: every record in Kafka is in the archive or in the quarantine, once")


def days_table(ledger: Ledger) -> Styler:
    """Statement 2 by event day: both stores' counts and digests. Rows say `holds` or `differs`."""
    rows = [
        {
            "event day (UTC)": line.day,
            "archive": line.archive,
            "OpenSearch": line.opensearch,
            "refused by OpenSearch": line.hot_refusals,
            "archive digest": _shortened(line.archive_digest),
            "OpenSearch digest": _shortened(line.opensearch_digest),
            "verdict": _verdict(line.holds),
        }
        for line in ledger.days
    ]
    return _coloured(rows, "Statement 2: in the hot window, both stores hold the same events")


def differences_table(ledger: Ledger) -> pd.DataFrame:
    """Records that a store lacks, doubles or holds otherwise. Columns: kind, store, coordinates, kafka_timestamp."""
    columns = ["kind", "store", "coordinates", "kafka_timestamp"]
    rows = [(d.kind, d.store, f"{d.topic}-{d.partition}-{d.offset}", d.kafka_timestamp) for d in ledger.differences]
    return pd.DataFrame(rows, columns=columns)


def _verdict(holds: bool) -> str:
    return "\N{CHECK MARK} holds" if holds else "\N{BALLOT X} differs"


def _coloured(rows: list[dict[str, Any]], caption: str) -> Styler:
    frame = pd.DataFrame(rows)
    table = frame.style.hide(axis="index").format(thousands=",").set_caption(caption)
    table = table.set_table_styles(
        [
            {"selector": "caption", "props": "text-align: left; font-weight: bold; padding: 4px 0"},
            {"selector": "th, td", "props": "text-align: right; padding: 3px 12px"},
        ]
    )
    if frame.empty:
        return table
    return table.apply(lambda row: [_HOLDS if row["verdict"].endswith("holds") else _DIFFERS] * len(row), axis=1)


def _shortened(digest: str) -> str:
    return digest if len(digest) <= 10 else f"\N{HORIZONTAL ELLIPSIS}{digest[-9:]}"


# -- an audit ------------------------------------------------------------------------------------------


def audit_table(audit: Audit) -> Styler:
    """A row for each event day that the archive held: then, now, what has gone and why.

    Rows say `holds` where nothing has gone without a reason.
    """
    rows = [
        {
            "event day (UTC)": day.day,
            "events then": day.events,
            "digest then": day.digest,
            "events now": day.events_now,
            "gone since": day.lost,
            "why": "; ".join(day.reasons),
            "verdict": _verdict(day not in audit.unexplained),
        }
        for day in audit.days
    ]
    return _coloured(rows, f"What the archive held at {audit.asked}")


# -- chaos ---------------------------------------------------------------------------------------------


def chaos_table(outcomes: Sequence[Outcome]) -> Styler:
    """A row for each scenario: what was done, both ledgers, processes left behind, seconds. Rows say `holds`."""
    rows = [
        {
            "what was done": outcome.done,
            "the run under fault": outcome.first_end or "none",
            "ledger before": str(outcome.before or "not taken"),
            "ledger after": str(outcome.after or "not taken"),
            "left behind": ", ".join(outcome.orphans) or "nothing",
            "seconds to recover": outcome.seconds_to_recover,
            "verdict": _verdict(outcome.ok),
        }
        for outcome in outcomes
    ]
    return _coloured(rows, "Ledgers: archive + quarantine of Kafka, OpenSearch").format(precision=1, thousands=",")


def chaos_picture(outcomes: Sequence[Outcome]) -> Figure:
    """Left what each store held of Kafka's records under the fault, right the seconds to a ledger that holds again."""
    figure, (stores, clock) = _figure(12, 1.6 + 0.5 * max(len(outcomes), 2), panels=2)
    if not outcomes:
        return _nothing(figure, stores, "No scenario ran")
    names = [outcome.scenario for outcome in outcomes]
    _draw_stores(stores, names, [outcome.before for outcome in outcomes])
    recovered = [outcome for outcome in outcomes if outcome.ok]
    seconds = [outcome.seconds_to_recover or 0.0 for outcome in outcomes]
    colours = [ARCHIVE_COLOUR if outcome.ok else LEVEL_COLOURS["ERROR"] for outcome in outcomes]
    bars = clock.barh(names, seconds, color=colours)
    clock.bar_label(
        bars,
        [f"{s:.0f} s" if o.ok else "not recovered" for s, o in zip(seconds, outcomes, strict=True)],
        padding=4,
        fontsize=10,
    )
    _title(clock, f"{len(recovered)} of {len(outcomes)} recovered, both stores agree")
    clock.set_xlabel("seconds to a ledger that holds")
    clock.margins(x=0.2)
    clock.set_yticklabels([])
    for axes in (stores, clock):
        axes.invert_yaxis()
        axes.tick_params(axis="y", length=0)
    return figure


def _draw_stores(axes: Axes, names: list[str], before: list[Counts | None]) -> None:
    """Shares of Kafka's records; a scenario without a ledger before has no bars."""
    shares = {
        "archive and quarantine": [(c.archive + c.quarantine) / max(c.kafka, 1) if c else 0 for c in before],
        "OpenSearch": [c.opensearch / max(c.kafka, 1) if c else 0 for c in before],
    }
    places = range(len(names))
    for i, (store, colour) in enumerate(zip(shares, (ARCHIVE_COLOUR, HOT_COLOUR), strict=True)):
        axes.barh([y + 0.4 * i - 0.2 for y in places], shares[store], 0.38, color=colour, label=store)
    axes.axvline(1, color="#333333", linewidth=1)
    axes.set_yticks(list(places), names)
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    axes.set_xlabel("of the records in Kafka")
    _title(axes, "Under the fault: what each store held")
    axes.figure.legend(*axes.get_legend_handles_labels(), loc="outside lower left", ncols=2, frameon=False)


# -- maintenance ---------------------------------------------------------------------------------------


def maintenance_table(before: Measured, after: Measured) -> pd.DataFrame:
    """Figures of every table before and after maintenance, side by side; the question's seconds in the last row."""
    pairs = {
        (table.rpartition(".")[2], name.replace("_", " ")): (value, getattr(after.tables[table], name))
        for table, found in before.tables.items()
        for name, value in asdict(found).items()
    }
    pairs |= {("archive", "seconds of a question"): (before.query_seconds, after.query_seconds)}
    index = pd.MultiIndex.from_tuples(pairs, names=["table", "figure"])
    return pd.DataFrame([[f"{value:,}" for value in pair] for pair in pairs.values()], index, ["before", "after"])


# -- cost ----------------------------------------------------------------------------------------------


def cost(tiers: Sequence[TierCost], bills: pd.DataFrame, settings: Settings) -> Figure:
    """Left what it costs to hold a year's events for a year in each tier, right the monthly bill as they pile up."""
    figure, (held, months) = _figure(12, 4, panels=2)
    money, hot = settings.price_currency, tiers[0]
    bars = held.bar([t.tier.replace(", ", ",\n") for t in tiers], [t.year for t in tiers], color=_TIER_COLOURS)
    held.bar_label(bars, [f"{t.year:,.0f} {money}\n{t.gb:,.0f} GB" for t in tiers], padding=3, fontsize=10)
    _title(held, f"A year of {_short(settings.cost_events_per_day)} events a day, held for a year")
    held.set_ylabel(f"{money} a year")
    held.margins(y=0.2)
    for (name, values), colour in zip(bills.items(), _TIER_COLOURS, strict=True):
        months.plot(bills.index / 12, values, color=colour, label=f"{name}: {values.iloc[-1]:,.0f} {money}")
    share = bills.iloc[-1, -1] / max(bills.iloc[-1, 0], 1e-9)
    _title(months, f"After {settings.cost_years} years a month costs {share:.0%} of all hot")
    months.set(xlabel="years since the first event", ylabel=f"{money} a month", ylim=(0, None), xlim=(0, None))
    months.legend(frameon=False, loc="upper left", title=f"bytes an event: {hot.bytes_per_event:.0f} hot, "
                  f"{tiers[1].bytes_per_event:.0f} in the archive", alignment="left")  # fmt: skip
    for axes in (held, months):
        _count_axis(axes)
    return figure


# -- common --------------------------------------------------------------------------------------------


def _figure(width: float, height: float, panels: int = 1) -> tuple[Figure, list[Axes]]:
    """A figure that is shown where it is returned, not a second time at the end of the cell."""
    with plt.rc_context(_FONT):
        figure, axes = plt.subplots(1, panels, figsize=(width, height), squeeze=False, layout="constrained")
    plt.close(figure)
    return figure, list(axes[0])


def _title(axes: Axes, finding: str) -> None:
    axes.set_title(finding, loc="left", fontsize=13, fontweight="bold")


def _nothing(figure: Figure, axes: Axes, text: str) -> Figure:
    for each in figure.axes:
        each.set_axis_off()
    axes.text(0.5, 0.5, text, ha="center", va="center", fontsize=13, transform=axes.transAxes)
    return figure


def _bar_width(times: pd.DatetimeIndex) -> timedelta:
    steps = times.to_series().diff().dropna()
    return steps.min().to_pytimedelta() if len(steps) else timedelta(minutes=1)


def _spoken(width: timedelta) -> str:
    seconds = int(width.total_seconds())
    for name, size in {"day": 86400, "hour": 3600, "minute": 60}.items():
        if seconds % size == 0:
            return name if seconds == size else f"{seconds // size} {name}s"
    return "second" if seconds == 1 else f"{seconds} seconds"


def _errors_over_time(table: pd.DataFrame) -> str:
    total = int(table.to_numpy().sum())
    errors = table[[level for level in ERRORS if level in table.columns]].sum(axis=1)
    if not errors.sum():
        return f"None of {total:,} events is an error"
    share = errors.sum() / total
    return f"{errors.sum():,} of {total:,} events are errors ({share:.1%}), most at {errors.idxmax():%d %b %H:%M} UTC"


def _comparison(table: pd.DataFrame, hot_days: int) -> str:
    first = pd.Timestamp(datetime.now(UTC).date() - timedelta(days=hot_days), tz="UTC")
    window, older = table[table.index >= first], table[table.index < first]
    apart = int((window["archive"] != window["OpenSearch"]).sum())
    if apart:
        return f"The stores differ on {apart} of {len(window)} days of the hot window"
    also = f";\n{older['archive'].sum():,} older ones are in the archive alone" if older["archive"].sum() else ""
    return f"Both stores hold the same {window['archive'].sum():,} events of the hot window{also}"


def _utc_axis(axes: Axes, first: datetime, last: datetime) -> None:
    locator = mdates.AutoDateLocator(tz=UTC, maxticks=9)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(mdates.ConciseDateFormatter(locator, tz=UTC))
    axes.set_xlim(first, last)
    axes.set_xlabel("time of the event (UTC)")


def _count_axis(axes: Axes) -> None:
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.yaxis.set_major_formatter(lambda value, _: _short(value))
    axes.grid(axis="y", alpha=0.25)


def _short(number: float) -> str:
    """12,345 as `12,345`, 1,234,567 as `1.23 M`."""
    return f"{number / 1e6:.3g} M" if number >= 1e6 else f"{number:,.0f}"
