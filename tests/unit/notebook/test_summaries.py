"""Summaries say the verdict in words and in colour, and hold text alone."""

import pytest

from dualsink.ledger.book import DayLine, Ledger, PartitionLine
from dualsink.notebook import summaries


def ledger(holds: bool) -> Ledger:
    partitions = [PartitionLine("logs", 0, 0, 10, 10, 9, 1 if holds else 0, holds)]
    return Ledger("now", partitions, [DayLine("2026-11-23", 9, 9, 0, "12345678901234", "5", holds)], 0, [])


@pytest.mark.parametrize(("holds", "word"), [(True, "holds"), (False, "differs")])
def test_ledger_tables_say_the_verdict_in_words_and_in_colour(holds, word):
    for table in (summaries.partitions(ledger(holds)), summaries.days(ledger(holds))):
        html = table.to_html()
        assert word in html and "background-color" in html


def test_a_coloured_table_holds_text_and_no_markup():
    shown = summaries.coloured(
        [{"why": "<script>x()</script>", "verdict": summaries.verdict(True)}], "<b>then</b>"
    ).to_html()
    assert "&lt;script&gt;x()" in shown and "<script>" not in shown
    assert "&lt;b&gt;then" in shown and "<b>" not in shown


def test_a_ledger_without_lines_is_an_empty_table():
    empty = Ledger("now", [], [], 0, [])
    assert summaries.partitions(empty).to_html() and summaries.days(empty).to_html()
    assert summaries.differences(empty).empty
