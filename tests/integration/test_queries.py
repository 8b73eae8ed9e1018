"""The questions, asked of real stores that hold a handful of known events."""

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from opensearchpy import OpenSearch

from dualsink import checks, kafka, queries, search, stream
from dualsink.generator import Record
from dualsink.settings import Settings

NASTY = 'cart" OR level:(INFO) \\ AND *'
NOW = datetime.now(UTC)
# minutes ago, level, service, host, trace, message
EVENTS = [
    (90, "ERROR", "order", "order-1", "t1", "long ago: upstream unavailable"),
    (50, "FATAL", "order", "order-2", "t1", "out of memory"),
    (40, "ERROR", NASTY, "cart-1", "t2", 'Upstream unavailable, said "it\'s me"'),
    (30, "WARN", NASTY, "cart-1", "t2", "unavailable upstream"),
    (20, "INFO", "order", "order-1", "t2", "fine"),
    (10, "INFO", "mail", "mail-1", "t2", "fine as well"),
]


@pytest.fixture(scope="module")
def stores(local: Settings, spark, tmp_path_factory) -> Settings:
    """A pipeline of this module's own that holds EVENTS in both stores, in two commits."""
    names = {"kafka_topic": "queries", "iceberg_table": "queries", "opensearch_index": "queries"}
    folder = tmp_path_factory.mktemp("queries")
    settings = local.model_copy(update=names | {"checkpoint_dir": str(folder / "checkpoint"), "runs_dir": str(folder)})
    checks.create_all(spark, settings)
    for part in (EVENTS[:4], EVENTS[4:]):
        kafka.produce(map(_record, part), settings)
        stream.run(spark, settings)
    with closing(search.connect(settings)) as opened:
        search.refresh(opened, settings.opensearch_index)
    return settings


def _record(event: tuple) -> Record:
    minutes, level, service, host, trace, message = event
    fields = {"timestamp": (NOW - timedelta(minutes=minutes)).isoformat(), "level": level, "service": service}
    fields |= {"host": host, "trace_id": trace, "span_id": f"{trace}-{host}", "message": message}
    return Record(service.encode(), json.dumps(fields).encode(), None)


@pytest.fixture
def client(stores: Settings) -> Iterator[OpenSearch]:
    with closing(search.connect(stores)) as opened:
        yield opened


def messages(frame: pd.DataFrame) -> list[str]:
    assert frame.attrs["total"] == len(frame)
    assert str(frame["timestamp"].dt.tz) == "UTC"
    return list(frame["message"])


# -- OpenSearch ----------------------------------------------------------------------------------------


def test_errors_of_the_last_hour_are_errors_and_of_the_last_hour_newest_first(client, stores):
    assert messages(queries.errors_of_last_hour(client, stores)) == [EVENTS[2][5], EVENTS[1][5]]


def test_no_more_than_asked_for_is_shown_and_all_are_counted(client, stores):
    found = queries.errors_of_last_hour(client, stores, size=1)
    assert (len(found), found.attrs["total"]) == (1, 2)


def test_a_phrase_is_found_in_this_order_and_any_case(client, stores):
    assert messages(queries.with_phrase(client, stores, "upstream UNAVAILABLE")) == [EVENTS[2][5], EVENTS[0][5]]


@pytest.mark.parametrize("service", ["order", NASTY, "no such", 'x" OR *:*'])
def test_a_query_string_with_a_quoted_value_finds_what_the_dsl_finds(client, stores, service):
    text = f"service:{queries.quoted(service)} AND level:(ERROR OR WARN)"
    typed = queries.by_query_string(client, stores, text)
    asked = queries.of_service(client, stores, service, ("ERROR", "WARN"))
    expected = [e[5] for e in EVENTS[::-1] if e[2] == service and e[1] in ("ERROR", "WARN")]
    assert (messages(typed), messages(asked)) == (expected, expected)


def test_the_busiest_service_is_the_one_with_most_warnings_and_errors(client, stores):
    assert queries.busiest_service(client, stores) == NASTY


def test_the_widest_trace_is_shown_from_its_beginning(client, stores):
    widest = queries.widest_trace(client, stores)
    assert widest == "t2"
    assert messages(queries.trace(client, stores, widest)) == [e[5] for e in EVENTS[2:]]


def test_levels_over_time_count_every_event_in_both_stores_alike(client, stores, spark):
    hot, archived = queries.levels_over_time(client, stores), queries.levels_in_archive(spark, stores)
    key = ["time", "level"]
    one, other = (f.sort_values(key).reset_index(drop=True) for f in (hot, archived))
    assert hot["events"].sum() == len(EVENTS)
    assert one.astype({"time": str}).to_dict() == other.astype({"time": str}).to_dict()


def test_events_per_day_are_the_same_in_both_stores(client, stores, spark):
    hot, archived = queries.events_per_day(client, stores), queries.days_in_archive(spark, stores)
    assert hot["events"].sum() == len(EVENTS)
    assert hot.to_dict() == archived.to_dict()


def test_the_newest_ids_are_those_of_the_coordinates(client, stores):
    assert all(name.startswith("queries-") for name in queries.newest_ids(client, stores, size=10)["id"])
    assert len(queries.newest_ids(client, stores, size=10)) == queries.documents(client, stores) == len(EVENTS)


def test_stores_without_any_day_answer_with_nothing(client, stores):
    nowhere = stores.model_copy(update={"opensearch_index": "no-such-alias"})
    assert queries.documents(client, nowhere) == 0
    assert messages(queries.errors_of_last_hour(client, nowhere)) == []
    assert (queries.widest_trace(client, nowhere), queries.busiest_service(client, nowhere)) == (None, None)
    assert queries.levels_over_time(client, nowhere).empty and queries.events_per_day(client, nowhere).empty


# -- archive -------------------------------------------------------------------------------------------


def test_the_latest_events_come_first_with_their_time_in_utc(stores, spark):
    found = queries.latest(spark, stores, limit=2)
    assert list(found["message"]) == [EVENTS[5][5], EVENTS[4][5]]
    assert found["timestamp"][0] == pd.Timestamp(NOW - timedelta(minutes=10))


def test_errors_per_service_count_distinct_hosts(stores, spark):
    found = queries.errors_per_service(spark, stores)
    assert found[["service", "errors", "hosts"]].to_numpy().tolist() == [["order", 2, 2], [NASTY, 1, 1]]


def test_partitions_and_files_account_for_every_event(stores, spark):
    partitions, files = queries.partitions(spark, stores), queries.files(spark, stores)
    assert (partitions["events"].sum(), files["events"].sum()) == (len(EVENTS), len(EVENTS))
    assert partitions["files"].sum() == len(files)


def test_snapshots_bear_the_streams_batches_newest_first(stores, spark):
    found = queries.snapshots(spark, stores)
    assert list(found["batch"]) == ["1", "0"]
    assert found["parent_id"][0] == found["snapshot_id"][1]


def test_time_travel_shows_the_table_before_the_last_commit(stores, spark):
    found = queries.time_travel(spark, stores)
    assert found[["version", "events"]].to_numpy().tolist() == [["now", 6], ["before", 4]]


def test_both_stores_count_events_errors_and_days_alike(client, stores, spark):
    found = queries.counts_side_by_side(spark, client, stores).set_index("what")
    assert list(found.loc["events"]) == [6, 6, 6]
    assert list(found.loc["errors"]) == [3, 3, 3]
    assert len(set(found.loc["days"])) == 1
