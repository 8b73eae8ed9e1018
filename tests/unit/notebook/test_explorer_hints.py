"""Hints of the explorer: searches near one that found nothing."""

from datetime import UTC, datetime

from dualsink.notebook.explorer import hints
from dualsink.notebook.explorer.answers import Search

START, END = datetime(2026, 11, 23, tzinfo=UTC), datetime(2026, 11, 24, tzinfo=UTC)


def nearby(wanted: Search) -> dict[str, Search]:
    return {hint.says: hint.wanted for hint in hints.nearby(wanted)}


def test_each_hint_differs_in_one_thing():
    found = nearby(Search("timeout cart", START, END, ("ERROR",), ("mail",)))
    assert found["without the filters"] == Search("timeout cart", START, END)
    assert found["with any of the words"].text == "timeout OR cart"
    assert found["in all time"] == Search("timeout cart", None, None, ("ERROR",), ("mail",))
    assert found["in both tiers"].tier == "both"


def test_an_id_is_looked_for_as_a_trace():
    assert nearby(Search("4bf92f3577b34da6a3ce929d0e0e4736"))["as a trace"].text.startswith("trace_id:4bf9")


def test_a_part_of_a_name_is_looked_for_in_all_names():
    assert nearby(Search("service:cart level:ERROR"))["as a part of any name"].text == "cart level:ERROR"


def test_what_cannot_differ_is_no_hint():
    assert nearby(Search("timeout", tier="both")) == {}
