"""Polling: one way to wait."""

import pytest

from dualsink import polling


def test_it_asks_until_it_is_so():
    answers = iter([False, False, True])
    assert polling.until(lambda: next(answers), 5, every=0) is True
    assert list(answers) == []


def test_it_ends_when_the_time_is_over():
    assert polling.until(lambda: False, 0.01, every=0) is False


def test_it_asks_once_if_there_is_no_time():
    assert polling.until(lambda: True, 0) is True


def test_what_the_question_raises_passes():
    with pytest.raises(KeyError):
        polling.until(lambda: {}["x"], 5)
