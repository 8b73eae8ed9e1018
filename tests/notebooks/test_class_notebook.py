"""The class on real servers: each answer is judged by the stores, what it breaks is named and mended."""

import pytest
from tests.notebooks.notebook_outputs import printed

from dualsink.kafka import producer
from dualsink.kafka.source import Source
from dualsink.kafka.topic import Topic
from dualsink.ledger import ledger
from dualsink.notebook.quiz import QUESTIONS, Quiz
from dualsink.operations import setup
from dualsink.settings import Settings
from dualsink.stream import query


@pytest.fixture(scope="module")
def own_settings(spark, own_pipeline) -> Settings:
    """A pipeline that has run, some of its records malformed."""
    settings = own_pipeline("class", num_log_events=100, malformed_share=0.1, kafka_partitions=2)
    setup.create_all(spark, settings)
    producer.produce(Source.of(settings).records(), Topic.of(settings))
    query.run(spark, settings)
    return settings


@pytest.fixture(scope="module")
def executed(own_settings, run_notebook):
    return run_notebook("class", own_settings)[0]


def test_unanswered_questions_are_said_to_be_and_nothing_fails(executed):
    told = [printed(executed, f"cl-question-{n}").strip() for n in range(1, len(QUESTIONS) + 1)]
    assert told == [f"question {n}: no answer yet; 0 of 12 right" for n in range(1, 13)]


def test_what_the_class_breaks_is_named_with_the_command_that_mends_it(executed, spark, own_settings):
    told = printed(executed, "cl-ledger")
    assert "both stores hold the same: False" in told
    assert "missing in OpenSearch: 5" in told and "./run_all.sh repair --env" in told
    assert "both stores hold the same: True" in printed(executed, "cl-mend")
    ledger.take(spark, own_settings).check()


def test_the_solutions_are_right(run_notebook, own_settings):
    solved, _ = run_notebook("solutions/class", own_settings)
    assert "12 of 12 right" in printed(solved, "cl-ledger")


@pytest.mark.parametrize(
    ("number", "wrong", "right"), [(2, 3, "2"), (6, 200, "409"), (10, "", " 7 "), (12, "replay", "`Repair`")]
)
def test_an_answer_may_be_written_in_any_way_and_a_wrong_one_gets_a_hint(
    spark, own_settings, capsys, number, wrong, right
):
    quiz = Quiz(spark, own_settings)
    quiz.check(number, wrong)
    quiz.check(number, right)
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith(f"question {number}: not yet: ") and first.endswith("; 0 of 12 right")
    assert second == f"question {number}: right; 1 of 12 right"
