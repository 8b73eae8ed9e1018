"""What people see: a search box, a range of time, filters with counts, a histogram that zooms, and the events.

The same widgets stand in JupyterLab and in the page that Voilà serves. Nothing here raises into the page: what goes
wrong is said in it.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anywidget
import ipywidgets as widgets
import traitlets

from dualsink.errors import SettingsError
from dualsink.explorer import tiers
from dualsink.explorer.answers import Answer, Search
from dualsink.palette import LEVEL_COLOURS
from dualsink.settings import Settings
from dualsink.timeline import moment

_STATIC = Path(__file__).with_name("static")
_CUSTOM = "between two times"
RANGES: dict[str, timedelta | None | str] = {
    "last 15 minutes": timedelta(minutes=15),
    "last hour": timedelta(hours=1),
    "last 24 hours": timedelta(days=1),
    "last 7 days": timedelta(days=7),
    "last 30 days": timedelta(days=30),
    "all time": None,
    _CUSTOM: _CUSTOM,
}
_TIERS = {"hot": "hot", "archive": "archive", "both": "both"}
_MORE = 100
_MOST = 1_000
_HINT = 'words, "a phrase", level:ERROR, service:cart* AND NOT message:timeout, timestamp:[now-1h TO now]'


class Facets(anywidget.AnyWidget):
    """Levels and services with counts; `levels` and `services` are those chosen."""

    _esm = _STATIC / "facets.js"
    _css = _STATIC / "explorer.css"
    counts = traitlets.Dict({"levels": [], "services": []}).tag(sync=True)
    levels = traitlets.List(traitlets.Unicode()).tag(sync=True)
    services = traitlets.List(traitlets.Unicode()).tag(sync=True)


class Table(anywidget.AnyWidget):
    """Events; sends `{"trace": id, "around": time}`, `{"back": true}` or `{"more": true}` when a person asks."""

    _esm = _STATIC / "table.js"
    _css = _STATIC / "explorer.css"
    view = traitlets.Dict().tag(sync=True)


class Chart(anywidget.AnyWidget):
    """Events over time by level; sends `{"zoom": [start, end]}` (epoch ms) when a person draws a range in it."""

    _esm = _STATIC / "chart.js"
    _css = _STATIC / "explorer.css"
    shown = traitlets.Dict({"counts": []}).tag(sync=True)


class Page:
    """The page of one environment. `widget` is to be displayed; it searches as soon as it is made."""

    def __init__(self, settings: Settings):
        self._settings = settings
        self._size = _MORE
        self._answered = Answer()
        self._quiet = False
        self._text = widgets.Text(placeholder=_HINT, continuous_update=False, layout=widgets.Layout(flex="1 1 auto"))
        self._go = widgets.Button(description="Search", button_style="primary", layout=widgets.Layout(width="90px"))
        self._range = widgets.Dropdown(
            options=list(RANGES), value="last 24 hours", layout=widgets.Layout(width="170px")
        )
        self._tier = widgets.ToggleButtons(options=list(_TIERS), style={"button_width": "74px"})
        self._start, self._end = (_time_box() for _ in "ab")
        self._times = widgets.HBox([self._start, widgets.Label("to"), self._end, widgets.Label("UTC")])
        self._back = widgets.Button(description="Zoom out", layout=widgets.Layout(width="90px"), disabled=True)
        self._status = widgets.HTML()
        self._facets, self._table, self._chart = Facets(), Table(), Chart()
        self._before: list[tuple[str, str, str]] = []
        self._listen()
        self.widget = self._layout()
        self._show_times()
        self.search()

    def _listen(self) -> None:
        self._go.on_click(lambda _: self._fresh())
        self._back.on_click(lambda _: self._zoom_out())
        for widget in (self._text, self._tier, self._range, self._start, self._end):
            widget.observe(lambda _: self._fresh(), "value")
        self._facets.observe(lambda _: self._fresh(), ["levels", "services"])
        for widget in (self._table, self._chart):
            widget.on_msg(lambda _, message, __: self._told(message))

    def _layout(self) -> widgets.VBox:
        first = widgets.HBox([self._text, self._go])
        second = widgets.HBox([self._range, self._times, self._tier, self._back, self._status])
        second.layout = widgets.Layout(align_items="center", flex_flow="row wrap", grid_gap="6px")
        side = widgets.VBox([self._facets], layout=widgets.Layout(flex="0 0 210px", margin="8px 14px 0 0"))
        main = widgets.VBox([self._chart, self._table], layout=widgets.Layout(flex="1 1 auto", min_width="0"))
        page = widgets.VBox([first, second, widgets.HBox([side, main])])
        page.add_class("ds-explorer")
        for name, part in {
            "text": self._text,
            "range": self._range,
            "tier": self._tier,
            "status": self._status,
        }.items():
            part.add_class(f"ds-{name}")
        self._go.add_class("ds-go")
        self._back.add_class("ds-zoom-out")
        self._times.add_class("ds-times")
        return page

    # -- what a person does ----------------------------------------------------------------------------

    def _fresh(self) -> None:
        """Search anew, unless this change came from the page itself."""
        if not self._quiet:
            self._size = _MORE
            self._show_times()
            self.search()

    def _told(self, message: dict[str, Any]) -> None:
        if "trace" in message:
            self._open_trace(message["trace"], datetime.fromisoformat(message["around"]))
        elif "more" in message:
            self._size = min(self._size + _MORE, _MOST)
            self.search()
        elif "back" in message:
            self._table.view = _results(self._answered)
        elif "zoom" in message:
            self._zoom(*(datetime.fromtimestamp(time / 1000, UTC) for time in message["zoom"]))

    def _zoom(self, start: datetime, end: datetime) -> None:
        """A range was drawn in the histogram: search just that."""
        self._before.append((self._range.value, self._start.value, self._end.value))
        self._set_times(_CUSTOM, _as_typed(start), _as_typed(end))

    def _zoom_out(self) -> None:
        if self._before:
            self._set_times(*self._before.pop())

    def _set_times(self, name: str, start: str, end: str) -> None:
        self._quiet = True
        try:
            self._range.value, self._start.value, self._end.value = name, start, end
        finally:
            self._quiet = False
        self._fresh()

    def _show_times(self) -> None:
        self._times.layout.display = "flex" if self._range.value == _CUSTOM else "none"
        self._back.disabled = not self._before

    # -- searching -------------------------------------------------------------------------------------

    def wanted(self) -> Search:
        """What the page asks for now. Raises SettingsError for a time that cannot be read."""
        chosen, now = RANGES[self._range.value], datetime.now(UTC)
        start, end = (now - chosen, now) if isinstance(chosen, timedelta) else (None, None)
        if chosen == _CUSTOM:
            start, end = _typed(self._start.value), _typed(self._end.value)
        return Search(
            self._text.value, start, end, tuple(self._facets.levels), tuple(self._facets.services),
            self._tier.value, self._size,
        )  # fmt: skip

    def search(self) -> None:
        """Ask the chosen tiers and show the answer."""
        self._say("Searching …")
        began = datetime.now(UTC)
        try:
            wanted, answer = tiers.find(self._settings, self.wanted())
        except SettingsError as error:
            wanted, answer = Search(), Answer(troubles=[str(error)])
        self._answered = answer
        self._chart.shown = _histogram(answer, wanted)
        self._facets.counts = _counts(answer, wanted)
        self._table.view = _results(answer)
        self._say(_spent(datetime.now(UTC) - began, answer))

    def _open_trace(self, trace_id: str, around: datetime) -> None:
        self._say("Looking for the trace …")
        began = datetime.now(UTC)
        answer = tiers.trace(self._settings, trace_id, around, self._tier.value)
        self._table.view = _trace(trace_id, answer)
        self._say(_spent(datetime.now(UTC) - began, answer))

    def _say(self, text: str) -> None:
        self._status.value = f'<span class="ds-status">{text}</span>'


def _time_box() -> widgets.Text:
    layout = widgets.Layout(width="170px")
    return widgets.Text(placeholder="2026-11-23 10:00:00", continuous_update=False, layout=layout)


def _as_typed(moment: datetime) -> str:
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ", timespec="milliseconds")


def _typed(text: str) -> datetime | None:
    """The time in UTC, None for an empty box. Raises SettingsError for what is no time."""
    try:
        return moment(text.strip()) if text.strip() else None
    except ValueError:
        raise SettingsError(f"Cannot read the time {text}: write 2026-11-23, or 2026-11-23 10:00:00 (UTC).") from None


# -- answers as the widgets want them --------------------------------------------------------------------


def _counts(answer: Answer, wanted: Search) -> dict[str, list[dict[str, Any]]]:
    """Levels from the worst, services from the most; what is chosen is listed also where it has no event."""
    levels = answer.levels.keys() | set(wanted.levels)
    services = sorted(answer.services.keys() | set(wanted.services), key=lambda name: (-answer.services[name], name))
    known = [level for level in reversed(LEVEL_COLOURS) if level in levels]
    return {
        "levels": [{"value": v, "count": answer.levels[v], "colour": LEVEL_COLOURS[v]} for v in known],
        "services": [{"value": name, "count": answer.services[name]} for name in services],
    }


def _histogram(answer: Answer, wanted: Search) -> dict[str, Any]:
    """The bars over the whole time that was searched; times in epoch milliseconds."""
    if wanted.start is None or wanted.end is None:
        return {"counts": []}
    return {
        "start": wanted.start.timestamp() * 1000,
        "end": wanted.end.timestamp() * 1000,
        "step": wanted.step / timedelta(milliseconds=1),
        "counts": [[time.timestamp() * 1000, level, n] for (time, level), n in sorted(answer.histogram.items())],
        "colours": LEVEL_COLOURS,
    }


def _results(answer: Answer) -> dict[str, Any]:
    shown = len(answer.events)
    newest = f"the newest {shown:,}" if shown < answer.total else "newest first"
    failed = bool(answer.troubles) and not answer.total
    return {
        "title": "No answer" if failed else _many(answer.total, "event"),
        "note": newest if shown else "",
        "empty": "" if failed else "Nothing found: try a longer time, fewer filters, or the other tier.",
        "events": [_event(event) for event in answer.events],
        "troubles": answer.troubles,
        "more": shown < min(answer.total, _MOST),
    }


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' * (count != 1)}"


def _trace(trace_id: str, answer: Answer) -> dict[str, Any]:
    events = answer.events
    first = events[0]["timestamp"] if events else None
    span = (events[-1]["timestamp"] - first) if events else timedelta()
    services = len({event["service"] for event in events})
    placed = [_event(e) | _place(e["timestamp"] - first, span) for e in events]
    return {
        "trace": True,
        "title": f"Trace {trace_id}",
        "note": f"{_many(len(events), 'event')} in {_many(services, 'service')}, {_milliseconds(span)}",
        "empty": "This tier holds no event of the trace.",
        "events": placed,
        "troubles": answer.troubles,
    }


def _place(after: timedelta, span: timedelta) -> dict[str, Any]:
    share = after / span if span else 0.0
    return {"place": round(2 + 96 * share, 2), "after": _milliseconds(after)}


def _milliseconds(span: timedelta) -> str:
    return f"{span / timedelta(milliseconds=1):,.1f} ms"


def _event(event: dict[str, Any]) -> dict[str, Any]:
    """The event as JSON types for the table."""
    names = (
        "level",
        "service",
        "host",
        "message",
        "stack_trace",
        "trace_id",
        "span_id",
        "log_id",
        "attributes",
        "tier",
    )
    moment = event["timestamp"]
    return {name: event[name] for name in names} | {
        "time": f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03d}",
        "moment": moment.isoformat(),
        "record": "{topic}-{partition}-{offset}".format(**event),
        "colour": LEVEL_COLOURS.get(event["level"], "#8c8c8c"),
    }


def _spent(elapsed: timedelta, answer: Answer) -> str:
    stores = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in answer.seconds.items())
    return f"{elapsed.total_seconds():.2f} s{f' ({stores})' if stores else ''}"
