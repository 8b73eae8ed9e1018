"""Tables as a person sees them in a notebook."""

import re

import pandas as pd

from dualsink.notebook import frames


def test_a_value_is_text_and_never_markup():
    assert "<script>" not in frames.as_html(pd.DataFrame({"message": ["<script>alert(1)</script>"]}))


def test_a_header_is_text_and_never_markup():
    assert "<b>" not in frames.as_html(pd.DataFrame({"<b>message</b>": ["x"]}))


def test_a_long_text_is_cut_and_whole_on_hover():
    text = "x" * 300
    shown = frames.as_html(pd.DataFrame({"message": [text]}))
    assert f'title="{text}"' in shown and f">{'x' * frames.LONGEST}\N{HORIZONTAL ELLIPSIS}<" in shown


def test_colour_codes_are_left_out():
    shown = frames.as_html(pd.DataFrame({"message": ["\x1b[31mERROR\x1b[0m disk"]}))
    assert ">ERROR disk<" in shown


def test_a_mark_that_turns_the_text_around_is_written_out():
    assert ">user\\u202etxt.exe<" in frames.as_html(pd.DataFrame({"message": ["user\u202etxt.exe"]}))


def test_a_time_stays_on_one_line_and_a_missing_value_is_empty():
    frame = pd.DataFrame({"timestamp": pd.to_datetime(["2026-11-27T11:40:04.629450+00:00", None], utc=True)})
    shown = frames.as_html(frame)
    assert 'nowrap">2026-11-27 11:40:04.629<' in shown and "NaT" not in shown


def test_numbers_stand_to_the_right_and_texts_to_the_left():
    shown = frames.as_html(pd.DataFrame({"service": ["cart"], "events": [7]}))
    # A class beats the tag names of the rule before it; the rule of a cell's own id would not beat both.
    assert re.search(r"#T_\w+ +td \{\s*text-align: left", shown)
    assert re.search(r"#T_\w+ \.col1 \{\s*text-align: right", shown) and shown.count("text-align: right") == 1


def test_a_short_text_is_never_broken_and_a_long_one_may_be():
    shown = frames.as_html(pd.DataFrame({"level": ["ERROR"], "message": ["x" * 60]}))
    assert re.search(r"\.col0 \{\s*white-space: nowrap", shown)
    assert re.search(r"\.col1 \{\s*overflow-wrap: anywhere", shown)


def test_a_number_of_the_row_is_left_out_and_a_label_is_kept():
    assert "row_heading" not in frames.as_html(pd.DataFrame({"a": [1]}))
    assert ">ERROR<" in frames.as_html(pd.DataFrame({"a": [1]}, index=["ERROR"]))
    assert ">1<" in frames.as_html(pd.DataFrame({"a": [1, 2]}, index=["ERROR", "ERROR"]))


def test_an_empty_table_says_so():
    assert frames.as_html(pd.DataFrame(columns=["kind", "store"])).startswith("<em>no rows</em>")


def test_an_empty_table_says_what_that_means():
    nothing = pd.DataFrame(columns=["kind"])
    assert "no rows" in frames.as_html(nothing)
    shown = frames.as_html(frames.if_empty(nothing, "good: <none>"))
    assert "good: &lt;none&gt;" in shown and "kind" in shown
    assert "good" not in frames.as_html(frames.if_empty(pd.DataFrame({"kind": ["missing"]}), "good"))


def test_thousands_are_apart_and_a_truth_is_a_word():
    frame = pd.DataFrame({"events": [1234567], "USD": [1690.884], "small": [0.004], "done": [True]})
    assert re.findall(r">([^<>]+)</td>", frames.as_html(frame)) == ["1,234,567", "1,690.88", "0.004", "True"]
