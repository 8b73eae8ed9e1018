"""The questions, asked of real stores that hold a handful of known events."""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache

import pandas as pd
import pytest
from lark.exceptions import UnexpectedInput
from opensearchpy import OpenSearch
from opensearchpy.exceptions import RequestError
from tests.support.dql import translated

from dualsink.kafka import producer, topic
from dualsink.kafka.records import Record
from dualsink.kafka.topic import Topic
from dualsink.notebook import queries
from dualsink.opensearch import index, questions
from dualsink.opensearch.cluster import Cluster
from dualsink.opensearch.hot_tier import HotTier
from dualsink.operations import setup
from dualsink.settings import Settings
from dualsink.stream import query

NASTY = 'cart" OR level:(INFO) \\ AND *'
# minutes ago, level, service, host, trace, message
EVENTS = [
    (90, "ERROR", "order", "order-1", "t1", "long ago: upstream unavailable"),
    (50, "FATAL", "order", "order-2", "t1", "out of memory"),
    (40, "ERROR", NASTY, "cart-1", "t2", 'Upstream unavailable, said "it\'s me"'),
    (30, "WARN", NASTY, "cart-1", "t2", "unavailable upstream"),
    (20, "INFO", "order", "order-1", "t2", "fine"),
    (10, "INFO", "mail", "mail-1", "t2", "fine as well"),
    (5, "DEBUG", "order", "order-1", "t3", "pool of 10,000 connections"),
]


@cache
def made_at() -> datetime:
    """When the events are made: the first test's moment, not that of the suite's start, an hour before."""
    return datetime.now(UTC)


TRACE = "java.net.SocketTimeoutException: Read timed out\n\tat com.example.Client.call(Client.java:118)"


@pytest.fixture(scope="module")
def stores(local: Settings, spark, tmp_path_factory) -> Settings:
    """A pipeline of this module's own that holds EVENTS in both stores, in two commits."""
    names = {"kafka_topic": "queries", "iceberg_table": "queries", "opensearch_index": "queries"}
    folder = tmp_path_factory.mktemp("queries")
    settings = local.model_copy(update=names | {"checkpoint_dir": str(folder / "checkpoint"), "runs_dir": str(folder)})
    setup.create_all(spark, settings)
    for part in (EVENTS[:4], EVENTS[4:]):
        producer.produce(map(_record, part), Topic.of(settings))
        query.run(spark, settings)
    with closing(index.connect(Cluster.of(settings))) as opened:
        index.refresh(opened, settings.opensearch_index)
    return settings


def _record(event: tuple) -> Record:
    minutes, level, service, host, trace, message = event
    fields = {"timestamp": (made_at() - timedelta(minutes=minutes)).isoformat(), "level": level, "service": service}
    fields |= {"host": host, "trace_id": trace, "span_id": f"{trace}-{host}", "message": message}
    fields |= {"stack_trace": TRACE} if level == "ERROR" else {}
    return Record(service.encode(), json.dumps(fields).encode(), None)


@pytest.fixture
def client(stores: Settings) -> Iterator[OpenSearch]:
    with closing(index.connect(Cluster.of(stores))) as opened:
        yield opened


def archived(spark, stores: Settings, question: questions.Question) -> list[str]:
    """Messages of the archive's events that answer a question's SQL, newest first."""
    text = f"SELECT message FROM {stores.archive_table} WHERE {question.sql} ORDER BY timestamp DESC"
    return [row.message for row in spark.sql(text, args=question.args).collect()]


def messages(frame: pd.DataFrame) -> list[str]:
    assert frame.attrs["total"] == len(frame)
    assert str(frame["timestamp"].dt.tz) == "UTC"
    return list(frame["message"])


# -- OpenSearch ----------------------------------------------------------------------------------------


QUESTIONS = {
    "errors-last-hour": lambda e: e[1] in ("ERROR", "FATAL") and e[0] < 60,
    "phrase": lambda e: "upstream unavailable" in e[5].lower(),
    "service-levels": lambda e: e[2] == "order" and e[1] in ("ERROR", "WARN"),
    "trace": lambda e: e[4] == "t2",
    "exception": lambda e: e[1] == "ERROR",
    "without-noise": lambda e: e[2] == "order" and e[1] != "DEBUG",
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_question_finds_the_same_events_in_every_language_and_in_the_archive(client, stores, spark, name):
    question = questions.all_questions("order", "t2")[name]
    expected = [event[5] for event in EVENTS[::-1] if QUESTIONS[name](event)]
    answers = {
        "dsl": queries.ask(client, stores.opensearch_index, question),
        "lucene": queries.by_query_string(client, stores.opensearch_index, question.lucene),
        "dql": queries.ask(client, stores.opensearch_index, replace(question, dsl=translated(question.dql))),
    }
    assert {form: messages(answer) for form, answer in answers.items()} == dict.fromkeys(answers, expected)
    assert archived(spark, stores, question) == expected
    assert expected


def test_a_range_of_lucene_is_no_dql_and_one_of_dql_is_no_lucene(client, stores):
    with pytest.raises(UnexpectedInput):
        translated("timestamp:[now-1h TO now]")
    with pytest.raises(RequestError):
        queries.by_query_string(client, stores.opensearch_index, "level:ERROR AND timestamp >= now-1h)")
    assert messages(
        queries.by_query_string(client, stores.opensearch_index, "level:ERROR AND timestamp >= now-1h")
    ) != messages(queries.by_query_string(client, stores.opensearch_index, "level:ERROR AND timestamp:>=now-1h"))


def test_no_more_than_asked_for_is_shown_and_all_are_counted(client, stores):
    found = queries.ask(client, stores.opensearch_index, questions.errors_of_last_hour(), size=1)
    assert (len(found), found.attrs["total"]) == (1, 2)


@pytest.mark.parametrize("service", ["order", NASTY, "no such", 'x" OR *:*'])
def test_a_value_with_syntax_in_it_is_taken_as_it_is_in_every_language(client, stores, spark, service):
    question = questions.of_service(service)
    expected = [e[5] for e in EVENTS[::-1] if e[2] == service and e[1] in ("ERROR", "WARN")]
    assert messages(queries.by_query_string(client, stores.opensearch_index, question.lucene)) == expected
    assert messages(queries.ask(client, stores.opensearch_index, question)) == expected
    assert (
        messages(queries.ask(client, stores.opensearch_index, replace(question, dsl=translated(question.dql))))
        == expected
    )
    assert archived(spark, stores, question) == expected


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("stack_trace:SocketTimeoutException", 2),
        ("stack_trace:java.net.SocketTimeoutException", 2),
        ('stack_trace:"Client.java:118"', 2),
        ("message:10,000", 1),
        ("message:connection", 0),
    ],
)
def test_words_are_found_wherever_punctuation_ends_them(client, stores, text, found):
    assert len(queries.by_query_string(client, stores.opensearch_index, text)) == found


def test_the_busiest_service_is_the_one_with_most_warnings_and_errors(client, stores):
    assert queries.busiest_service(client, stores.opensearch_index) == NASTY


def test_the_widest_trace_is_shown_from_its_beginning(client, stores):
    widest = queries.widest_trace(client, stores.opensearch_index)
    assert widest == "t2"
    way = {"query": {"term": {"trace_id": widest}}, "sort": [{"timestamp": "asc"}]}
    assert messages(queries.hits(client, stores.opensearch_index, way)) == [e[5] for e in EVENTS[2:6]]


def test_levels_over_time_count_every_event(client, stores):
    counted = queries.levels_over_time(client, stores.opensearch_index).groupby("level")["events"].sum().to_dict()
    assert counted == {"ERROR": 2, "FATAL": 1, "WARN": 1, "INFO": 2, "DEBUG": 1}


def test_events_per_day_are_the_same_in_both_stores(client, stores, spark):
    hot, archived = (
        queries.events_per_day(client, stores.opensearch_index),
        queries.days_in_archive(spark, stores.archive_table),
    )
    assert hot["events"].sum() == len(EVENTS)
    assert hot.to_dict() == archived.to_dict()


def test_the_newest_ids_are_those_of_the_coordinates(client, stores):
    prefix = f"{topic.topic_id(Topic.of(stores))}-"
    assert all(name.startswith(prefix) for name in queries.newest_ids(client, stores.opensearch_index, size=10)["id"])
    assert (
        len(queries.newest_ids(client, stores.opensearch_index, size=10))
        == queries.documents(client, stores.opensearch_index)
        == len(EVENTS)
    )


def test_stores_without_any_day_answer_with_nothing(client, stores):
    nowhere = stores.model_copy(update={"opensearch_index": "no-such-alias"})
    assert queries.documents(client, nowhere.opensearch_index) == 0
    assert messages(queries.ask(client, nowhere.opensearch_index, questions.errors_of_last_hour())) == []
    assert (
        queries.widest_trace(client, nowhere.opensearch_index),
        queries.busiest_service(client, nowhere.opensearch_index),
    ) == (None, None)
    assert (
        queries.levels_over_time(client, nowhere.opensearch_index).empty
        and queries.events_per_day(client, nowhere.opensearch_index).empty
    )


# -- archive -------------------------------------------------------------------------------------------


def test_the_latest_events_come_first_with_their_time_in_utc(stores, spark):
    found = queries.latest(spark, stores.archive_table, limit=2)
    assert list(found["message"]) == [EVENTS[6][5], EVENTS[5][5]]
    assert found["timestamp"][0] == pd.Timestamp(made_at() - timedelta(minutes=5))


def test_errors_per_service_count_distinct_hosts(stores, spark):
    found = queries.errors_per_service(spark, stores.archive_table)
    assert found[["service", "errors", "hosts"]].to_numpy().tolist() == [["order", 2, 2], [NASTY, 1, 1]]


def test_partitions_account_for_every_event(stores, spark):
    assert queries.partitions(spark, stores.archive_table)["events"].sum() == len(EVENTS)


def test_both_stores_count_events_errors_and_days_alike(client, stores, spark):
    found = queries.counts_side_by_side(spark, client, stores.archive_table, HotTier.of(stores)).set_index("what")
    assert list(found.loc["events"]) == [7, 7, 7]
    assert list(found.loc["errors"]) == [3, 3, 3]
    assert len(set(found.loc["days"])) == 1
