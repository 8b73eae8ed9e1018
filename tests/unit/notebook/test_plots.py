"""Pictures say their finding in the title, have UTC axes, and survive having nothing to show."""

import io
import math

import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell

from dualsink.notebook import plots
from dualsink.stream.sink import BatchReport

NOON = pd.Timestamp("2026-11-23 12:00", tz="UTC")


def title(figure) -> str:
    return figure.axes[0].get_title(loc="left")


def words(figure) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def batch(number: int, events: int = 100, **seconds: float) -> BatchReport:
    values = dict.fromkeys(BatchReport.__dataclass_fields__, 0) | {"refused": {}, "offsets": {}}
    values |= {"batch_id": number, "events": events, "seconds": {"check": 0.5, "pass": 4.0, "commit": 0.5}}
    values["cpu_seconds"] = {"parse": 1.0, "documents": 0.5, "archive": 2.0, "send": 4.0} | seconds
    return BatchReport(**values)


# -- levels --------------------------------------------------------------------------------------------


def test_levels_name_the_share_of_errors_and_when_most_came():
    rows = [(NOON, "INFO", 90), (NOON + pd.Timedelta("1min"), "ERROR", 9), (NOON, "FATAL", 1)]
    figure = plots.levels_over_time(pd.DataFrame(rows, columns=["time", "level", "events"]))
    assert title(figure) == "10 of 100 events are errors (10.0%), most at 23 Nov 12:01 UTC"
    assert figure.axes[-1].get_xlabel().endswith("(UTC)")
    assert figure.axes[0].get_ylabel() == "events per minute"


def test_levels_without_errors_say_so():
    figure = plots.levels_over_time(pd.DataFrame([(NOON, "INFO", 5)], columns=["time", "level", "events"]))
    assert title(figure) == "None of 5 events is an error"
    assert len(figure.axes) == 1


def test_a_spike_of_other_events_does_not_hide_the_errors():
    rows = [(NOON, "INFO", 1_000_000), (NOON + pd.Timedelta("1min"), "ERROR", 3), (NOON, "FATAL", 2)]
    all_events, errors = plots.levels_over_time(pd.DataFrame(rows, columns=["time", "level", "events"])).axes
    assert all_events.get_ylim()[1] > 1_000_000
    assert 3 <= errors.get_ylim()[1] < 4
    assert errors.get_title(loc="left") == "The errors alone"


def test_every_level_of_the_parser_has_a_colour_of_its_own():
    from dualsink.events.parser import LEVELS

    assert set(plots.LEVEL_COLOURS) == set(LEVELS)
    assert len(set(plots.LEVEL_COLOURS.values())) == len(LEVELS)


# -- services and days ---------------------------------------------------------------------------------


def test_errors_name_the_service_that_fails_most():
    rows = [("cart", 7, 2), ("mail", 1, 1)]
    figure = plots.errors_per_service(pd.DataFrame(rows, columns=["service", "errors", "hosts"]))
    assert title(figure) == "cart fails most: 7 of 8 errors"
    assert words(figure) == ["1 on 1 host", "7 on 2 hosts"]


@pytest.mark.parametrize(
    ("name", "shown"),
    [(r"$\frac$", r"$\frac$"), ("${env:HOME}", "${env:HOME}"), ("\x1b[2J", r"\u001b[2J"), ("x" * 9000, "x" * 39 + "…")],
    ids=["formula", "variable", "terminal", "endless"],
)
def test_a_service_of_any_name_is_drawn_as_text(name, shown):
    figure = plots.errors_per_service(pd.DataFrame([(name, 7, 2)], columns=["service", "errors", "hosts"]))
    figure.savefig(io.BytesIO())
    (tick,) = figure.axes[0].get_yticklabels()
    assert tick._preprocess_math(tick.get_text()) == (shown, False)
    assert title(figure).replace(r"\$", "$") == f"{shown} fails most: 7 of 7 errors"


def days(*rows: tuple[pd.Timestamp, int]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["day", "events"])


def test_equal_stores_are_said_to_be_equal_and_older_days_to_be_the_archives():
    today, old = pd.Timestamp.now(tz="UTC").floor("D"), pd.Timestamp("2022-08-22", tz="UTC")
    figure = plots.hot_against_archive(days((today, 10)), days((old, 3), (today, 10)), hot_days=7)
    assert (
        title(figure) == "Both stores hold the same 10 events of the hot window;\n3 older ones are in the archive alone"
    )


def test_a_difference_in_the_hot_window_is_named():
    today = pd.Timestamp.now(tz="UTC").floor("D")
    figure = plots.hot_against_archive(days((today, 9)), days((today, 10)), hot_days=7)
    assert title(figure) == "The stores differ on 1 of 1 days of the hot window"


@pytest.mark.parametrize(
    "figure",
    [
        lambda: plots.levels_over_time(pd.DataFrame(columns=["time", "level", "events"])),
        lambda: plots.errors_per_service(pd.DataFrame(columns=["service", "errors", "hosts"])),
        lambda: plots.hot_against_archive(days(), days(), hot_days=7),
        lambda: plots.LivePicture(live=False).figure,
    ],
    ids=["levels", "errors", "days", "live"],
)
def test_nothing_to_show_is_said_in_words(figure):
    assert [text for text in words(figure()) if text.startswith("No ")]


# -- live ----------------------------------------------------------------------------------------------


def test_the_live_picture_tells_speed_slowest_leg_and_backlog(monkeypatch):
    monkeypatch.setattr(plots, "display", lambda figure: None)
    picture = plots.LivePicture(live=False)
    picture.update(batch(0), 200)
    picture.update(batch(1), 100)
    picture.show()
    titles = [axes.get_title(loc="left") for axes in picture.figure.axes]
    assert titles == ["200 events, up to 20/s", "Most work is: send", "100 waiting in Kafka"]


def test_a_single_batch_stands_in_the_middle_between_what_waited_before_and_after(monkeypatch):
    monkeypatch.setattr(plots, "display", lambda figure: None)
    picture = plots.LivePicture(live=False, waiting=200)
    picture.update(batch(3), 0)
    picture.show()
    speed, legs, backlog = picture.figure.axes
    assert [axes.get_ylim()[0] for axes in picture.figure.axes] == [0, 0, 0]
    assert [sum(axes.get_xlim()) / 2 for axes in (speed, legs)] == [3, 3]
    assert backlog.lines[0].get_xydata().tolist() == [[2, 200], [3, 0]]
    assert backlog.xaxis.get_major_formatter()(2, 0) == "start"


def test_a_single_day_stands_in_the_middle_and_bars_begin_at_zero():
    today = pd.Timestamp.now(tz="UTC").floor("D")
    (axes,) = plots.hot_against_archive(days((today, 9)), days((today, 9)), hot_days=7).axes
    bars = [patch.get_x() for patch in axes.patches]
    left, right = axes.get_xlim()
    assert min(bars) - left == pytest.approx(right - (max(bars) + 0.38))
    assert axes.get_ylim()[0] == 0


def test_many_days_have_labels_that_do_not_touch():
    first = pd.Timestamp("2026-12-25", tz="UTC")
    frame = days(*((first + pd.Timedelta(days=i), 1900) for i in range(14)))
    (axes,) = plots.hot_against_archive(frame, frame, hot_days=7).axes
    labels = [label.get_text() for label in axes.get_xticklabels()]
    assert labels[:4] == ["25 Dec\n2026", "", "27 Dec", ""]
    assert [text for text in axes.texts if text.get_text()] == []


def test_a_backlog_that_could_not_be_asked_is_said_so(monkeypatch):
    monkeypatch.setattr(plots, "display", lambda figure: None)
    picture = plots.LivePicture(live=False)
    picture.update(batch(0), None)
    picture.show()
    assert picture.figure.axes[2].get_title(loc="left") == "Kafka did not answer"
    assert math.isnan(picture.figure.axes[2].lines[0].get_ydata()[0])


def test_with_live_the_picture_is_displayed_once_and_updated_in_place(monkeypatch):
    calls = []

    class Handle:
        def update(self, figure):
            calls.append("update")

    monkeypatch.setattr(plots, "display", lambda figure, display_id: calls.append("display") or Handle())
    picture = plots.LivePicture(live=True)
    picture.update(batch(0), 1)
    picture.update(batch(1), 0)
    picture.show()
    assert calls == ["display", "update", "update"]


# -- for those who do not see it -----------------------------------------------------------------------


def test_a_picture_says_in_words_what_it_shows():
    assert plots.levels_over_time(pd.DataFrame([(NOON, "INFO", 5)], columns=["time", "level", "events"])).alt == (
        "None of 5 events is an error (events per minute by time of the event (UTC))"
    )
    assert plots.levels_over_time(pd.DataFrame(columns=["time", "level", "events"])).alt == "No events yet"


def test_a_notebook_notes_what_a_picture_shows():
    shell = InteractiveShell.instance()
    try:
        figure = plots.errors_per_service(pd.DataFrame([("pay", 3, 1)], columns=["service", "errors", "hosts"]))
        data, metadata = shell.display_formatter.format(figure)
    finally:
        InteractiveShell.clear_instance()
    assert metadata["image/png"]["alt"].startswith("pay fails most: 3 of 3 errors") and data["image/png"]
