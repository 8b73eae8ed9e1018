"""The explorer's searches on real stores: both tiers find the same, and nothing twice where they meet."""

import json
from contextlib import closing
from datetime import UTC, datetime, time, timedelta

import pytest
from tests.support.lost_shard import lost_shard

from dualsink.kafka import producer
from dualsink.kafka.records import Record
from dualsink.kafka.topic import Topic
from dualsink.notebook.explorer import archive_search, tiers
from dualsink.notebook.explorer.answers import Answer, Search
from dualsink.notebook.explorer.stores import Stores
from dualsink.opensearch import index
from dualsink.opensearch.cluster import Cluster
from dualsink.opensearch.hot_tier import HotTier
from dualsink.operations import setup
from dualsink.settings import Settings
from dualsink.stream import query

NOW = datetime.now(UTC).replace(microsecond=0)
TRACE = "java.net.SocketTimeoutException: Read timed out after 10,000 ms\n\tat com.example.Client.call(Client.java:118)"
# days ago, level, service, host, trace, message, attributes
EVENTS = [
    (9, "ERROR", "order", "order-1", "t0", "old and in the archive alone: upstream unavailable", {}),
    (5, "INFO", "order", "order-1", "t1", "Order 4711 accepted, said 'thank you'", {"http.method": "GET", "code": 200}),
    (5, "ERROR", "cart", "cart-1", "t1", "Upstream unavailable: connection refused", {"http.method": "POST"}),
    (2, "WARN", "cart", "cart-2", "t2", "retry 3 of request 17, timeout", {"nested": {"key": "deep"}}),
    (2, "ERROR", "mail", "mail-1", "t2", "timeout while sending; upstream gone", {}),
    (1, "DEBUG", "mail", "mail-1", None, "Größe des Pools: 10,000", {}),
    (0, "INFO", "order", "order-2", "t2", "order-service is fine", {"path": "/a b/\\c"}),
    (0, "FATAL", "cart", "cart-1", "t3", "out of memory", {}),
]
MESSAGES = [event[5] for event in EVENTS]


@pytest.fixture(scope="module")
def stores(local: Settings, spark, tmp_path_factory) -> Settings:
    """A pipeline of this module's own that holds EVENTS; the oldest came too late for the hot tier."""
    names = {"kafka_topic": "explorer", "iceberg_table": "explorer", "opensearch_index": "explorer"}
    folder = tmp_path_factory.mktemp("explorer")
    settings = local.model_copy(update=names | {"checkpoint_dir": str(folder / "checkpoint"), "runs_dir": str(folder)})
    setup.create_all(spark, settings)
    producer.produce([_record(i, event) for i, event in enumerate(EVENTS)], Topic.of(settings))
    query.run(spark, settings)
    with closing(index.connect(Cluster.of(settings))) as client:
        index.refresh(client, settings.opensearch_index)
    return settings


def _record(number: int, event: tuple) -> Record:
    days, level, service, host, trace, message, attributes = event
    moment = NOW - timedelta(days=days, minutes=1, seconds=-number)
    fields = {"timestamp": moment.isoformat(), "level": level, "service": service, "host": host, "message": message}
    fields |= {"stack_trace": TRACE} if level == "ERROR" else {}
    fields |= {"trace_id": trace, "span_id": f"{trace}-{host}"} if trace else {}
    return Record(service.encode(), json.dumps(fields | attributes).encode(), None)


def answered(settings: Settings, wanted: Search) -> Answer:
    return tiers.find(Stores.of(settings), wanted)[1]


@pytest.mark.parametrize("tier", ["hot", "archive", "both"])
def test_before_the_first_event_nothing_is_found_and_nothing_is_wrong(spark, settings, tier):
    setup.create_all(spark, settings)
    answer = answered(settings, Search("", tier=tier))
    assert (answer.total, answer.events, answer.troubles) == (0, [], [])


def test_without_patience_the_newest_days_of_the_archive_are_read_and_said(stores, monkeypatch):
    monkeypatch.setattr(archive_search, "AT_LEAST", 3)
    answer = answered(stores, Search(tier="archive", patience=0))
    assert sorted((event["message"] for event in answer.events), key=MESSAGES.index) == MESSAGES[-3:]
    assert (answer.total, answer.troubles) == (3, [])
    assert answer.since == datetime.combine(NOW - timedelta(days=1, minutes=1, seconds=-5), time(), UTC)
    assert answered(stores, Search(tier="archive", patience=60)).since is None
    assert answered(stores, Search(tier="archive", patience=60)).total == len(EVENTS)


def found(settings: Settings, text: str = "", tier: str = "hot", **more) -> list[str]:
    """Messages in order of EVENTS."""
    answer = answered(settings, Search(text, tier=tier, **more))
    assert answer.troubles == []
    assert answer.total == len(answer.events) == sum(answer.histogram.values())
    return sorted((event["message"] for event in answer.events), key=MESSAGES.index)


RECENT = {"start": NOW - timedelta(days=6), "end": NOW + timedelta(days=1)}
TEXTS = {
    "": 7,
    "*": 7,
    "timeout": 2,
    "TIMEOUT": 2,
    "timeout upstream": 1,
    "upstream timeout": 1,
    "timeout AND upstream": 1,
    "timeout OR memory": 3,
    "upstream NOT timeout": 1,
    "upstream -timeout": 1,
    "NOT timeout": 5,
    "memory OR NOT timeout": 1,
    '"upstream unavailable"': 1,
    '"unavailable upstream"': 0,
    "time*": 3,
    "tim?out": 2,
    "größe": 1,
    "10,000": 3,
    "thank": 1,
    "SocketTimeoutException": 2,
    "java.net.SocketTimeoutException": 2,
    "message:SocketTimeoutException": 0,
    'stack_trace:"Client.java:118"': 2,
    "level:ERROR": 2,
    "level:error": 2,
    "level:(ERROR OR FATAL)": 3,
    "level:(ERROR FATAL)": 0,
    "service:cart AND level:ERROR": 1,
    "service:ca*": 3,
    "host:*-1": None,
    "host:cart-?": 3,
    'service:"cart"': 3,
    "(service:cart OR service:mail) AND timeout": 2,
    "service:cart timeout^2": 1,
    "+timeout +upstream": 1,
    "_exists_:trace_id": 6,
    "NOT _exists_:trace_id": 1,
    "_exists_:stack_trace": 2,
    "trace_id:t2": 3,
    "attributes.http.method:GET": 1,
    "attributes.http.method:(GET OR POST)": 2,
    "attributes.nested.key:deep": 1,
    "attributes.code:200": 1,
    'attributes.path:"/a b/\\\\c"': 1,
    "timestamp:[now-3d TO now]": 5,
    'timestamp:["now-3d/d" TO now]': 5,
    "timestamp:<now-3d": 2,
    "timestamp:{* TO now-3d}": 2,
    f"timestamp:{NOW - timedelta(days=5):%Y-%m-%d}": 2,
    f"timestamp:[{NOW - timedelta(days=5):%Y-%m-%d} TO {NOW - timedelta(days=2):%Y-%m-%d}]": 4,
    f"timestamp:>{NOW - timedelta(days=5):%Y-%m-%d}": 5,
    "offset:>=0": 7,
    "cart": 3,
    "Cart": 3,
    "cart-2": 1,
    "mail-1 timeout": 1,
    "timeout cart": 1,
    "NOT cart": 4,
    "(cart OR mail) timeout": 2,
    '"cart 2"': 1,
    "car*": 3,
    "ar": 0,
    "get": 1,
    "GET accepted": 1,
    "deep": 1,
    "200": 1,
    "method": 0,
    '"/a b/\\\\c"': 1,
    "host:[cart-1 TO cart-2]": 3,
}


@pytest.mark.parametrize("text", [text for text, count in TEXTS.items() if count is not None])
def test_both_tiers_find_the_same_events_for_a_text(stores, text):
    hot, archived = found(stores, text, **RECENT), found(stores, text, "archive", **RECENT)
    assert archived == hot
    assert len(hot) == TEXTS[text]


def test_both_tiers_count_levels_services_and_bars_alike(stores):
    wanted = {"levels": ("ERROR", "WARN"), "services": ("cart", "mail"), **RECENT}
    answers = [answered(stores, Search(tier=tier, **wanted)) for tier in ("hot", "archive")]
    assert [a.total for a in answers] == [3, 3]
    assert answers[0].levels == answers[1].levels == {"ERROR": 2, "WARN": 1, "DEBUG": 1, "FATAL": 1}
    assert answers[0].services == answers[1].services == {"cart": 2, "mail": 1}
    assert answers[0].histogram == answers[1].histogram


def test_an_event_is_the_same_whole_from_either_tier(stores):
    hot, archived = ([*answered(stores, Search(tier=tier, **RECENT)).events] for tier in ("hot", "archive"))
    assert [event | {"tier": ""} for event in hot] == [event | {"tier": ""} for event in archived]


def test_only_the_newest_are_shown_and_all_are_counted(stores):
    for tier in ("hot", "archive", "both"):
        answer = answered(stores, Search(tier=tier, size=2, **RECENT))
        assert (answer.total, [e["message"] for e in answer.events]) == (7, [MESSAGES[7], MESSAGES[6]])


# -- the border ------------------------------------------------------------------------------------------


def test_all_time_in_both_is_everything_once(stores):
    assert found(stores) == MESSAGES[1:]
    assert found(stores, tier="archive") == MESSAGES
    assert found(stores, tier="both") == MESSAGES


@pytest.mark.parametrize("gone", [5, 2, 0])
def test_a_day_that_leaves_the_hot_tier_is_answered_by_the_archive(spark, stores, gone):
    copy = stores.model_copy(update={"opensearch_index": f"without-{gone}"})
    with closing(index.connect(Cluster.of(copy))) as client:
        index.ensure_template(client, HotTier.of(copy))
        for day, name in index.day_indices(client, stores.opensearch_index).items():
            if day != (NOW - timedelta(days=gone, minutes=1)).date():
                target = f"{copy.opensearch_index}-{day:%Y.%m.%d}"
                client.reindex(body={"source": {"index": name}, "dest": {"index": target}}, params={"refresh": "true"})
    assert found(copy, **RECENT) + MESSAGES[:1] != MESSAGES
    assert found(copy, tier="both") == MESSAGES


def test_a_trace_is_shown_whole_from_its_beginning(stores):
    for tier in ("archive", "both"):
        answer = tiers.trace(Stores.of(stores), "t1", NOW - timedelta(days=5), tier)
        assert [event["message"] for event in answer.events] == MESSAGES[1:3]
    in_hot = tiers.trace(Stores.of(stores), "t2", NOW, "hot").events
    assert [event["message"] for event in in_hot] == [MESSAGES[i] for i in (3, 4, 6)]


# -- what goes wrong -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "tier", "says"),
    [
        ("level:(ERROR", "hot", "not a query string"),
        ("timestamp:[yesterday TO now]", "hot", "OpenSearch does not understand the search"),
        ("level:(ERROR", "archive", "not a query string"),
        ("nosuch:1", "both", "There is no field nosuch. Fields: log_id, timestamp"),
        ("/x+/", "archive", "cannot be asked for"),
        ("timestamp:[yesterday TO now]", "archive", "Cannot read the time yesterday"),
        ("a OR b AND c", "hot", "set brackets"),
        ("a OR b AND c", "archive", "set brackets"),
        ("partition:one", "archive", "one is not a whole number"),
    ],
)
def test_a_text_that_cannot_be_answered_is_explained(stores, text, tier, says):
    answer = answered(stores, Search(text, tier=tier, **RECENT))
    assert answer.total == 0
    assert says in " ".join(answer.troubles)


def test_a_store_that_is_away_is_named_and_the_other_one_still_answers(stores):
    away = stores.model_copy(update={"nessie_uri": "http://127.0.0.1:9/api/v2"})
    answer = answered(away, Search(tier="both", **RECENT))
    assert answer.total == 7
    assert answer.troubles == ["The catalogue at 127.0.0.1:9: nothing listens there; start it or correct the address."]


def test_stores_without_anything_answer_with_nothing(stores):
    nothing = stores.model_copy(update={"opensearch_index": "no-such-alias", "iceberg_table": "no_such_table"})
    assert answered(nothing, Search()).total == 0
    answer = answered(nothing, Search(tier="archive"))
    assert answer.troubles == ["There is no table demo.no_such_table on main yet: run 01_setup and 03_stream first."]


def test_a_part_of_the_answer_is_shown_and_marked_as_one(stores):
    with closing(index.connect(Cluster.of(stores))) as client:
        client.index(index=f"{stores.opensearch_index}-lost", id="x", body={}, params={"refresh": "true"})
        try:
            with lost_shard(client, f"{stores.opensearch_index}-lost", shard=0):
                answer = answered(stores, Search("", tier="hot"))
                assert answer.total == len(EVENTS) - 1
                assert any("OpenSearch answered in part only: 1 of" in trouble for trouble in answer.troubles)
        finally:
            client.indices.delete(index=f"{stores.opensearch_index}-lost")
    assert answered(stores, Search("", tier="hot")).troubles == []
