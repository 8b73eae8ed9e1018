"""Numbers and texts as people read them."""

import pytest

from dualsink import words


@pytest.mark.parametrize(("number", "written"), [(0, "0 days"), (1, "1 day"), (2, "2 days"), (1234, "1,234 days")])
def test_a_count_agrees_with_its_noun(number, written):
    assert words.count(number, "day") == written


def test_an_irregular_plural_is_given():
    assert (words.count(1, "batch", "batches"), words.count(3, "batch", "batches")) == ("1 batch", "3 batches")


@pytest.mark.parametrize(
    ("number", "written"),
    [
        (0, "0 bytes"), (1, "1 byte"), (999, "999 bytes"), (1200, "1.2 kB"), (12_345, "12 kB"),
        (5_500_000, "5.5 MB"), (182_722_000, "183 MB"), (3.2e9, "3.2 GB"), (5e15, "5,000 TB"),
    ],
)  # fmt: skip
def test_a_size_has_a_unit_that_fits_it(number, written):
    assert words.size(number) == written


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("ends\n\twith a tab, \u00e9 and \N{WOMAN}\u200d\N{PERSONAL COMPUTER}", None),
        ("\x1b[2J\x1b]0;owned\x07", "\\u001b[2J\\u001b]0;owned\\u0007"), ("a\rb", "a\\u000db"),
        ("user\u202etxt.exe\u2066", "user\\u202etxt.exe\\u2066"), ("\U000e0041", "\\U000e0041"),
    ],
)  # fmt: skip
def test_what_would_drive_a_terminal_is_written_out(text, seen):
    assert words.visible(text) == (text if seen is None else seen)
