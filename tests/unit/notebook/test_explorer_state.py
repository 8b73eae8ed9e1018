"""State of the explorer's page, as an address gives it."""

from datetime import UTC, datetime, timedelta

import pytest

from dualsink.errors import SettingsError
from dualsink.notebook.explorer import pasted, state


def test_a_search_covers_its_range_up_to_now():
    wanted = state.read({"q": "x", "range": "1h", "level": ["ERROR"], "tier": "both"}).search()
    assert (wanted.text, wanted.levels, wanted.tier) == ("x", ("ERROR",), "both")
    assert wanted.end - wanted.start == timedelta(hours=1)


def test_times_of_ones_own_may_be_open():
    wanted = state.read({"range": "custom", "start": "2026-11-23 10:00"}).search()
    assert (wanted.start, wanted.end) == (datetime(2026, 11, 23, 10, tzinfo=UTC), None)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"tier": "cold"}, "tier"),
        ({"level": "ERROR"}, "level"),
        ({"range": "2h"}, "no range 2h"),
        ({"range": "custom", "start": "soon"}, "Cannot read the time soon"),
    ],
)
def test_an_address_that_names_no_search_is_refused_by_name(values, says):
    with pytest.raises(SettingsError, match=says):
        state.read(values).search()


def test_no_list_is_longer_than_a_page_can_show():
    assert state.read({"size": 10**9}).search().size == state.MOST


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Timeout cart", ["cart", "timeout"]),
        ('message:"a b" -c NOT d level:ERROR', ["a b"]),
        ("time* OR *", ["time*"]),
        ("Out of memory: 67836", ["67836", "memory:", "of", "out"]),
        ("level:(ERROR", []),
        ("", []),
    ],
)
def test_words_that_were_looked_for_are_highlighted(text, words):
    assert pasted.words(text) == words
