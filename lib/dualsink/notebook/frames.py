"""Tables in notebooks: aligned, short, whole text on hover."""

import html
import re
from datetime import datetime
from numbers import Number
from typing import Any

import numpy as np
import pandas as pd
from IPython import get_ipython

from dualsink import words

LONGEST = 100
"""Characters of a text that are shown; the whole of a longer one appears on hover."""

_EMPTY = "meaning of no rows"
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_ONE_LINE = 32
"""Characters of the texts that are never broken, such as a level or a host."""


def readable() -> None:
    """Show the data frames of this notebook by `as_html`.

    Does nothing outside of IPython.
    """
    shell = get_ipython()
    if shell is not None:
        shell.display_formatter.formatters["text/html"].for_type(pd.DataFrame, as_html)


def if_empty(frame: pd.DataFrame, text: str) -> pd.DataFrame:
    """Return the frame, with what an empty one means."""
    frame.attrs[_EMPTY] = text
    return frame


def as_html(frame: pd.DataFrame, longest: int = LONGEST) -> str:
    """Return the frame as HTML.

    Numbers to the right with their thousands apart, all else to the left, times to the millisecond on one line. Values
    are text, never markup, of at most `longest` characters, hidden signs written out. A running number and what is
    missing are left out.
    """
    if frame.empty:
        text = html.escape(frame.attrs.get(_EMPTY, "no rows"))
        return f"<em>{text}</em> <small>({html.escape(', '.join(map(str, frame.columns)))})</small>"

    def cell(value: Any) -> str:
        return _cell(value, longest)

    # Labels may repeat, which a Styler refuses.
    styled = frame.set_axis(range(len(frame)), axis="index") if not frame.index.is_unique else frame
    table = styled.style.format(cell).format_index(cell).format_index(cell, axis="columns")
    table = table.set_table_styles(styles(styled))
    return (table.hide(axis="index") if isinstance(styled.index, pd.RangeIndex) else table).to_html()


def styles(frame: pd.DataFrame) -> list[dict[str, str]]:
    """Return the styles of a frame's table.

    Numbers and their heading are to the right, all else to the left; only columns of long texts are broken.
    """
    cells = {"selector": "th, td", "props": "text-align: left; vertical-align: top; padding: 3px 12px"}
    return [cells, *({"selector": f".col{i}", "props": _props(column)} for i, (_, column) in enumerate(frame.items()))]


def _props(column: pd.Series) -> str:
    if pd.api.types.is_numeric_dtype(column):
        return "text-align: right"
    longest = column.map(lambda value: len(str(value))).max()
    return "white-space: nowrap" if longest <= _ONE_LINE else "overflow-wrap: anywhere; min-width: 9em"


def _cell(value: Any, longest: int) -> str:
    if isinstance(value, (list, dict, tuple, set)):
        return _text(str(value), longest)
    if pd.isna(value):
        return ""
    if isinstance(value, datetime):
        return f'<span style="white-space: nowrap">{value:%Y-%m-%d %H:%M:%S}.{value.microsecond // 1000:03}</span>'
    if isinstance(value, Number) and not isinstance(value, (bool, np.bool_)):
        return f"{value:,.6g}" if isinstance(value, float) else f"{value:,}"
    return _text(str(value), longest)


def _text(text: str, longest: int) -> str:
    plain = words.visible(_ANSI.sub("", text))
    if len(plain) <= longest:
        return html.escape(plain)
    return f'<span title="{html.escape(plain)}">{html.escape(plain[:longest])}\N{HORIZONTAL ELLIPSIS}</span>'
