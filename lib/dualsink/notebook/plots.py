"""Pictures for the notebooks.

Every function returns a matplotlib Figure; times are UTC.
"""

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import matplotlib.dates as mdates
import matplotlib.pyplot as plt
import pandas as pd
from IPython import get_ipython
from IPython.core.pylabtools import print_figure
from IPython.display import display
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from dualsink import words
from dualsink.notebook.palette import ARCHIVE_COLOUR, HOT_COLOUR, LEVEL_COLOURS, TIER_COLOUR
from dualsink.opensearch.questions import ERRORS
from dualsink.operations.cost import Assumptions, TierCost
from dualsink.stream.sink import BatchReport

LEG_COLOURS = {"parse": "#b5b5b5", "documents": "#6f4a8e", "archive": ARCHIVE_COLOUR, "send": HOT_COLOUR}
_TIER_COLOURS = (HOT_COLOUR, ARCHIVE_COLOUR, TIER_COLOUR)
_FONT = {
    "font.size": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "figure.dpi": 100,
}
_DAYS_SHOWN = 14
# Inches: at 100 dots each, what JupyterLab shows in a window of 1,280 pixels without shrinking it.
WIDTH = 9
_LABELLED_BARS = 8
_LONGEST_LABEL = 40


def levels_over_time(counts: pd.DataFrame) -> Figure:
    """Draw events by level over time as stacked bars.

    Errors are drawn again below, on an axis of their own: a spike of other events does not hide them. `counts` has the
    columns time, level, events.
    """
    table = counts.pivot_table(index="time", columns="level", values="events", aggfunc="sum", fill_value=0)
    table = table.reindex(columns=[level for level in LEVEL_COLOURS if level in table.columns])
    errors = table[[level for level in table.columns if level in ERRORS]]
    figure, panels = new_rows(WIDTH, [4, 2] if errors.to_numpy().any() else [4])
    if counts.empty:
        return nothing(figure, panels[0], "No events yet")
    width = _bar_width(table.index)
    for axes, shown in zip(panels, (table, errors), strict=False):
        _stacked(axes, shown, width)
    title(panels[0], _errors_over_time(table, errors))
    panels[0].set_ylabel(f"events per {_spoken(width)}")
    for axes in panels[1:]:
        title(axes, "The errors alone", size=11)
        axes.set_ylabel("errors")
    beside = width if len(table) == 1 else timedelta(0)
    _utc_axis(panels[-1], table.index[0] - beside, table.index[-1] + width + beside)
    handles, labels = panels[0].get_legend_handles_labels()
    panels[0].legend(handles[::-1], labels[::-1], loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    return figure


def _stacked(axes: Axes, table: pd.DataFrame, width: timedelta) -> None:
    base = pd.Series(0, index=table.index)
    for level in table.columns:
        axes.bar(table.index, table[level], width, bottom=base, color=LEVEL_COLOURS[level], label=level, align="edge")
        base = base + table[level]
    axes.set_ylim(0, base.max() * 1.06)
    _count_axis(axes)


def errors_per_service(errors: pd.DataFrame) -> Figure:
    """Draw errors by service as bars, most first.

    `errors` has the columns service, errors, hosts.
    """
    shown = errors.head(15)[::-1]
    figure, (axes,) = new_figure(WIDTH, 1.4 + 0.42 * max(len(shown), 2))
    if errors.empty:
        return nothing(figure, axes, "No service reports an error")
    bars = axes.barh(list(map(label, shown["service"])), shown["errors"], color=LEVEL_COLOURS["ERROR"])
    notes = [f"{row.errors:,} on {row.hosts:,} host{'s' if row.hosts != 1 else ''}" for row in shown.itertuples()]
    axes.bar_label(bars, notes, padding=4, fontsize=10)
    first, total = errors.iloc[0], errors["errors"].sum()
    title(axes, f"{label(first.service)} fails most: {first.errors:,} of {total:,} errors")
    axes.set_xlabel("events at ERROR or FATAL")
    axes.margins(x=0.2)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.tick_params(axis="y", length=0)
    return figure


def hot_against_archive(hot: pd.DataFrame, archive: pd.DataFrame, hot_days: int) -> Figure:
    """Draw both stores' events by event day, side by side.

    Both frames have the columns day, events. Days older than `hot_days` before today belong to the archive alone. The
    newest fourteen days are drawn.
    """
    figure, (axes,) = new_figure(WIDTH, 4)
    table = pd.DataFrame({"archive": archive.set_index("day").events, "OpenSearch": hot.set_index("day").events})
    table = table.fillna(0).astype("int64").sort_index()
    if table.empty:
        return nothing(figure, axes, "No events yet")
    shown = table.tail(_DAYS_SHOWN)
    for i, (store, colour) in enumerate({"archive": ARCHIVE_COLOUR, "OpenSearch": HOT_COLOUR}.items()):
        places = [x + 0.4 * i for x in range(len(shown))]
        bars = axes.bar(places, shown[store], 0.38, color=colour, label=store, align="edge")
        if len(shown) <= _LABELLED_BARS:
            axes.bar_label(bars, [f"{n:,}" if n else "" for n in shown[store]], padding=2, fontsize=9)
    axes.set_xticks([x + 0.39 for x in range(len(shown))], _day_labels(shown.index))
    title(axes, _comparison(table, hot_days))
    axes.set(ylabel="events", xlabel="day of the event (UTC)")
    axes.margins(y=0.12)
    beside = 0.3 + max(3 - len(shown), 0) / 2
    axes.set_xlim(-beside, len(shown) - 0.22 + beside)
    _count_axis(axes)
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    return figure


def _day_labels(days: pd.DatetimeIndex) -> list[str]:
    """Return a label of day and month for each day.

    The year is under the first one and where it changes; of many, every other one has a label.
    """
    every = 1 if len(days) <= _LABELLED_BARS else 2
    years = [None, *days.year]
    return [
        "" if i % every else f"{day:%d %b}" + (f"\n{day:%Y}" if day.year != before else "")
        for i, (day, before) in enumerate(zip(days, years[:-1], strict=True))
    ]


# -- the stream while it runs --------------------------------------------------------------------------


class LivePicture:
    """Speed, seconds by leg and backlog of every batch.

    `waiting` is the backlog before the first one, if known. With `live`, the picture is shown at once and redrawn after
    each batch; else `show` draws it once at the end, which is what a notebook run by papermill wants.
    """

    def __init__(self, live: bool, waiting: int | None = None):
        self._batches: list[tuple[BatchReport, float]] = []
        self._before = waiting
        self.figure, self._axes = new_figure(WIDTH + 0.5, 3.4, panels=3)
        self._draw()
        self._handle = display(self.figure, display_id=True) if live else None

    def update(self, batch: BatchReport, waiting: int | None) -> None:
        """Add a batch, and the records that wait after it.

        `waiting` is None if that is unknown. May be called from any thread.
        """
        self._batches.append((batch, math.nan if waiting is None else waiting))
        if self._handle:
            self._draw()
            self._handle.update(self.figure)

    def show(self) -> None:
        """Show the finished picture, unless it was shown all along."""
        if self._handle is None:
            self._draw()
            display(self.figure)

    def _draw(self) -> None:
        for axes in self._axes:
            axes.clear()
        if not self._batches:
            nothing(self.figure, self._axes[1], "No batch yet")
            return
        numbers = [batch.batch_id for batch, _ in self._batches]
        self._draw_speed(self._axes[0], numbers)
        self._draw_legs(self._axes[1], numbers)
        self._draw_backlog(self._axes[2], numbers)
        for axes in self._axes:
            axes.set_axis_on()
            axes.set_xlabel("batch")

    def _draw_speed(self, axes: Axes, numbers: list[int]) -> None:
        speeds = [batch.events / max(_elapsed(batch), 0.001) for batch, _ in self._batches]
        axes.bar(numbers, speeds, color=LEVEL_COLOURS["INFO"], width=0.7)
        events = sum(batch.events for batch, _ in self._batches)
        title(axes, f"{_short(events)} events, up to {_short(max(speeds))}/s", 11)
        axes.set_ylabel("events per second")
        _batch_axis(axes, numbers)
        _count_axis(axes)

    def _draw_legs(self, axes: Axes, numbers: list[int]) -> None:
        """Draw stacked bars, alike for one batch and many."""
        base = [0.0] * len(numbers)
        for leg, colour in LEG_COLOURS.items():
            seconds = [batch.cpu_seconds.get(leg, 0.0) for batch, _ in self._batches]
            axes.bar(numbers, seconds, 0.7, bottom=base, color=colour, label=leg)
            base = [low + more for low, more in zip(base, seconds, strict=True)]
        totals = {leg: sum(batch.cpu_seconds.get(leg, 0.0) for batch, _ in self._batches) for leg in LEG_COLOURS}
        title(axes, f"Most work is: {max(totals, key=totals.get)}", 11)
        axes.set_ylabel("CPU seconds of the tasks")
        axes.set_ylim(0, max(max(base), 0.01) * 1.35)
        _batch_axis(axes, numbers)
        axes.legend(frameon=False, fontsize=9, ncols=2, loc="upper left", labelspacing=0.2, columnspacing=1)

    def _draw_backlog(self, axes: Axes, numbers: list[int]) -> None:
        """Draw a line from the backlog before the first batch.

        Its label there is `start`.
        """
        known = self._before is not None
        places = [numbers[0] - 1, *numbers] if known else numbers
        waiting = [self._before, *(behind for _, behind in self._batches)] if known else [b for _, b in self._batches]
        axes.plot(places, waiting, color="#333333", marker="o", markersize=5, clip_on=False)
        axes.fill_between(places, waiting, color="#333333", alpha=0.12)
        title(axes, "Kafka did not answer" if math.isnan(waiting[-1]) else f"{waiting[-1]:,} waiting in Kafka", 11)
        axes.set_ylabel("records")
        axes.set_ylim(0, max([1, *(each for each in waiting if not math.isnan(each))]) * 1.1)
        _batch_axis(axes, places)
        _count_axis(axes)
        if known:
            axes.xaxis.set_major_formatter(lambda x, _: "start" if x == places[0] else f"{x:.0f}")


def _batch_axis(axes: Axes, numbers: list[int]) -> None:
    """Set the axis of batch numbers.

    With room at both sides, so that one batch is in the middle.
    """
    axes.set_xlim(numbers[0] - 1, numbers[-1] + 1)
    whole = MaxNLocator(6, integer=True).tick_values(numbers[0], numbers[-1])
    axes.set_xticks(sorted({numbers[0], *(each for each in whole if numbers[0] <= each <= numbers[-1])}))


def _elapsed(batch: BatchReport) -> float:
    """Return the wall seconds of a batch.

    Its steps follow each other.
    """
    return sum(batch.seconds.values())


# -- cost ----------------------------------------------------------------------------------------------


def cost(tiers: Sequence[TierCost], bills: pd.DataFrame, given: Assumptions) -> Figure:
    """Draw the cost of each tier, and the monthly bill.

    Left what it costs to hold a year's events for a year in each tier, right the monthly bill as they pile up.
    """
    figure, (held, months) = new_figure(WIDTH + 0.5, 4, panels=2)
    money, hot = given.currency, tiers[0]
    bars = held.bar([t.tier.replace(", ", ",\n") for t in tiers], [t.year for t in tiers], color=_TIER_COLOURS)
    held.bar_label(bars, [f"{t.year:,.0f} {money}\n{t.gb:,.0f} GB" for t in tiers], padding=3, fontsize=10)
    title(held, f"A year of {_short(given.events_per_day)} events a day", 12)
    held.set_ylabel(f"{money} a year")
    held.margins(y=0.2)
    for (name, values), colour in zip(bills.items(), _TIER_COLOURS, strict=True):
        months.plot(bills.index / 12, values, color=colour, label=f"{name}: {values.iloc[-1]:,.0f} {money}")
    share = bills[given.kept].iloc[-1] / max(bills.iloc[-1, 0], 1e-9)
    title(months, f"After {given.years} years a month costs {share:.0%} of all hot", 12)
    months.set(xlabel="years since the first event", ylabel=f"{money} a month", ylim=(0, None), xlim=(0, None))
    months.legend(frameon=False, loc="upper left", title=f"bytes an event: {hot.bytes_per_event:.0f} hot, "
                  f"{tiers[1].bytes_per_event:.0f} in the archive", alignment="left")  # fmt: skip
    for axes in (held, months):
        _count_axis(axes)
    return figure


# -- common --------------------------------------------------------------------------------------------


class Picture(Figure):
    """Figure with a text in place of it."""

    @property
    def alt(self) -> str:
        """Text of what it shows.

        Of each panel the title, or else its only words, and what its axes count.
        """
        return ". ".join(filter(None, map(_panel_text, self.axes))).replace(r"\$", "$")


def _panel_text(axes: Axes) -> str:
    finding = axes.get_title(loc="left") or " ".join(text.get_text() for text in axes.texts)
    labels = " by ".join(filter(None, (axes.get_ylabel(), axes.get_xlabel()))) if axes.axison else ""
    return " ".join(f"{finding} ({labels})".split()) if labels else finding


def _close(figure: Figure) -> None:
    """Keep a figure from a second showing.

    That is at the end of its cell. Notebooks note its alternative text from here on.
    """
    plt.close(figure)
    shell = get_ipython()
    if shell is not None:
        shell.display_formatter.formatters["image/png"].for_type(Picture, _png)


def _png(figure: Picture) -> tuple[str, dict[str, str]]:
    """Return the image and its metadata, as IPython wants them."""
    return print_figure(figure, fmt="png", base64=True), {"alt": figure.alt}


def new_figure(width: float, height: float, panels: int = 1) -> tuple[Figure, list[Axes]]:
    """Return a figure and its axes.

    It is shown where it is returned, not a second time at the end of the cell. Sizes are inches.
    """
    with plt.rc_context(_FONT):
        figure, axes = plt.subplots(
            1, panels, figsize=(width, height), squeeze=False, layout="constrained", FigureClass=Picture
        )
    _close(figure)
    return figure, list(axes[0])


def new_rows(width: float, heights: Sequence[float]) -> tuple[Figure, list[Axes]]:
    """Return a figure and its axes, one below the other.

    They share one axis of time and are shown as by `new_figure`. Sizes are inches.
    """
    with plt.rc_context(_FONT):
        figure, axes = plt.subplots(
            len(heights), 1, figsize=(width, sum(heights)), height_ratios=heights,
            sharex=True, squeeze=False, layout="constrained", FigureClass=Picture,
        )  # fmt: skip
    _close(figure)
    return figure, list(axes[:, 0])


def label(text: str) -> str:
    """Return a text of events for a picture.

    Short, without hidden signs, and no formula, whatever it holds.
    """
    shown = words.visible(text)
    cut = shown if len(shown) <= _LONGEST_LABEL else shown[: _LONGEST_LABEL - 1] + "\N{HORIZONTAL ELLIPSIS}"
    return cut.replace("$", r"\$")


def title(axes: Axes, finding: str, size: int = 13) -> None:
    axes.set_title(finding, loc="left", fontsize=size, fontweight="bold")


def nothing(figure: Figure, axes: Axes, text: str) -> Figure:
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


def _errors_over_time(table: pd.DataFrame, errors: pd.DataFrame) -> str:
    total, each = int(table.to_numpy().sum()), errors.sum(axis=1)
    if not each.sum():
        return f"None of {total:,} events is an error"
    share = each.sum() / total
    return f"{each.sum():,} of {total:,} events are errors ({share:.1%}), most at {each.idxmax():%d %b %H:%M} UTC"


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
    """Write 12,345 as `12,345`, 1,234,567 as `1.23 M`."""
    return f"{number / 1e6:.3g} M" if number >= 1e6 else f"{number:,.0f}"
