"""Pictures of chaos: stores under a fault, seconds of recovery."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from pandas.io.formats.style import Styler

from dualsink.notebook import plots, summaries
from dualsink.notebook.palette import ARCHIVE_COLOUR, HOT_COLOUR, LEVEL_COLOURS
from dualsink_workbench.chaos.outcome import Counts, Outcome


def table(outcomes: Sequence[Outcome]) -> Styler:
    """Return a row for each scenario.

    A row has what was done, both ledgers, processes left behind, seconds. Rows say `holds`.
    """
    rows = [
        {
            "what was done": outcome.done,
            "the run under fault": outcome.first_end or "none",
            "ledger before": str(outcome.before or "not taken"),
            "ledger after": str(outcome.after or "not taken"),
            "left behind": ", ".join(outcome.orphans) or "nothing",
            "seconds to recover": outcome.seconds_to_recover,
            "verdict": summaries.verdict(outcome.ok),
        }
        for outcome in outcomes
    ]
    return summaries.coloured(rows, "Ledgers: archive + quarantine of Kafka, OpenSearch", precision=1)


def recoveries(outcomes: Sequence[Outcome]) -> Figure:
    """Draw what each store held and how long recovery took.

    Left: shares of Kafka's records under the fault. Right: seconds to a ledger that holds again.
    """
    figure, (stores, clock) = plots.new_figure(plots.WIDTH + 0.5, 1.6 + 0.5 * max(len(outcomes), 2), panels=2)
    if not outcomes:
        return plots.nothing(figure, stores, "No scenario ran")
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
    plots.title(clock, f"{len(recovered)} of {len(outcomes)} recovered, both stores agree", 12)
    clock.set_xlabel("seconds to a ledger that holds")
    clock.margins(x=0.2)
    clock.set_yticklabels([])
    for axes in (stores, clock):
        axes.invert_yaxis()
        axes.tick_params(axis="y", length=0)
    return figure


def _draw_stores(axes: Axes, names: list[str], before: list[Counts | None]) -> None:
    """Draw shares of Kafka's records.

    A scenario without a ledger before has no bars.
    """
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
    plots.title(axes, "Held under the fault", 12)
    axes.figure.legend(*axes.get_legend_handles_labels(), loc="outside lower left", ncols=2, frameon=False)
