"""The corpus of hostile records through the parser."""

import pytest
from tests.support.corpus import CASES, KAFKA_TIMESTAMP, Case, unexpected

from dualsink.events.parser import Event, Refusal, parse


def test_the_corpus_is_large_and_its_names_are_unique():
    names = [case.name for case in CASES]
    assert len(names) >= 200
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_record_gets_its_verdict(case: Case):
    outcome = parse(case.payload, case.key, KAFKA_TIMESTAMP)
    if isinstance(case.expect, str):
        assert isinstance(outcome, Refusal)
        assert outcome.reason == case.expect
        assert 0 < len(outcome.detail) <= 300
    else:
        assert isinstance(outcome, Event), outcome
        assert unexpected(case, outcome._asdict()) == {}
