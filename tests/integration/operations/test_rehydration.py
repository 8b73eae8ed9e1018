"""Back to hot on real servers: the same ids, proven, found once, gone in time; nothing else is confused by it."""

import json
from contextlib import closing
from datetime import UTC, date, datetime, timedelta

import pytest
from tests.support.ism_node import ism_node

from dualsink.cli import jobs
from dualsink.errors import LedgerMismatch, SettingsError
from dualsink.iceberg import reader
from dualsink.iceberg.archive import Archive
from dualsink.kafka import producer
from dualsink.kafka.records import Record
from dualsink.kafka.topic import Topic
from dualsink.ledger import ledger
from dualsink.notebook.explorer import tiers
from dualsink.notebook.explorer.answers import Search
from dualsink.notebook.explorer.stores import Stores
from dualsink.opensearch import index as indices
from dualsink.opensearch import reindex
from dualsink.opensearch.cluster import Cluster
from dualsink.opensearch.hot_tier import HotTier
from dualsink.operations import rehydration, setup
from dualsink.operations.rehydration import Range
from dualsink.settings import Settings
from dualsink.stream import query

NOW = datetime.now(UTC)
DAYS = {0: 4, 2: 3, 30: 5, 31: 6, 40: 2}


def record(days_ago: int, number: int) -> Record:
    time = NOW - timedelta(days=days_ago, microseconds=number)
    fields = {"timestamp": time.isoformat(), "level": "INFO", "service": ("cart", "mail")[number % 2]}
    fields |= {"message": f"event {number} of {days_ago}", "trace_id": f"t{days_ago}", "size": 10.0, "größe": {"a": 1}}
    return Record(b"order", json.dumps(fields).encode(), None)


def day(days_ago: int) -> date:
    return (NOW - timedelta(days=days_ago)).date()


def between(first: int, last: int, where: str = "") -> Range:
    """All of the days so many days ago."""
    return Range.read(str(day(first)), str(day(last) + timedelta(days=1)), where)


def rehydrate(spark, settings: Settings, wanted: Range) -> rehydration.Rehydration:
    return rehydration.rehydrate(spark, Archive.of(settings), HotTier.of(settings), wanted)


@pytest.fixture
def stores(spark, settings: Settings) -> Settings:
    """Events on DAYS (days ago: how many); those of a month ago and older are in the archive alone."""
    setup.create_all(spark, settings)
    records = [record(ago, number) for ago, count in DAYS.items() for number in range(count)]
    producer.produce(records, Topic.of(settings))
    query.run(spark, settings)
    return settings


@pytest.fixture
def client(settings: Settings):
    with closing(indices.connect(Cluster.of(settings))) as client:
        yield client


def documents(client, index: str) -> dict[str, dict]:
    client.indices.refresh(index=index)
    hits = client.search(index=index, body={"size": 100})["hits"]["hits"]
    return {hit["_id"]: hit["_source"] for hit in hits}


def index_of(settings: Settings, days_ago: int) -> str:
    return f"{settings.rehydrated_prefix}-{day(days_ago):%Y.%m.%d}"


def test_a_range_comes_back_with_the_documents_that_the_hot_tier_would_have_had(spark, stores, client):
    names = {"opensearch_index": f"wide-{stores.opensearch_index}", "iceberg_table": "t_wide"}
    as_if_hot = stores.model_copy(update={"hot_days": 60, "checkpoint_dir": f"{stores.checkpoint_path}-wide", **names})
    setup.create_all(spark, as_if_hot)
    query.run(spark, as_if_hot)

    done = rehydrate(spark, stores, between(31, 30))
    assert (done.created, done.existing, done.refused, done.skipped) == (11, 0, 0, [])
    assert [(line.day, line.archive, line.opensearch) for line in done.proof.days] == [
        (str(day(31)), 6, 6),
        (str(day(30)), 5, 5),
    ]
    assert done.proof.holds
    for ago in (31, 30):
        hot = documents(client, f"{as_if_hot.opensearch_index}-{day(ago):%Y.%m.%d}")
        assert documents(client, index_of(stores, ago)) == hot
    assert (
        client.indices.get_mapping(index=index_of(stores, 31))[index_of(stores, 31)]["mappings"]["dynamic"] == "strict"
    )
    ledger.take(spark, as_if_hot).check()


def test_given_again_it_finds_everything_there_and_proves_it_again(spark, stores):
    rehydrate(spark, stores, between(31, 31, "service = 'cart'"))
    again = rehydrate(spark, stores, between(31, 30))
    assert (again.created, again.existing, again.proof.holds) == (8, 3, True)


def test_a_condition_and_times_within_a_day_bring_back_and_prove_that_part_alone(spark, stores, client):
    done = rehydrate(spark, stores, between(40, 30, "service = 'cart' AND message NOT LIKE '% 0 %'"))
    assert (done.created, done.proof.holds) == (2 + 2 + 0, True)
    first = NOW - timedelta(days=40, microseconds=1)
    part = rehydrate(spark, stores, Range(first, first + timedelta(microseconds=1)))
    assert (part.created, part.proof.holds) == (1, True)
    assert [source["message"] for source in documents(client, index_of(stores, 40)).values()] == ["event 1 of 40"]


def test_days_of_the_hot_tier_are_left_out_and_the_ledger_and_retention_of_the_others_stay_as_they_were(
    spark, stores, client
):
    done = rehydrate(spark, stores, between(40, 0))
    assert {skipped.day: skipped.events for skipped in done.skipped} == {str(day(2)): 3, str(day(0)): 4}
    assert "the hot tier holds it" in done.skipped[0].reason
    book = ledger.take(spark, stores)
    book.check()
    hot = {str(day(2)), str(day(0))}
    assert sum(line.opensearch for line in book.days if line.day in hot) == 7
    assert set(indices.day_indices(client, stores.opensearch_index)) == {day(2), day(0)}
    assert client.count(index=stores.opensearch_index)["count"] == sum(DAYS.values())


def test_a_day_in_the_hot_window_whose_index_is_gone_is_left_to_repair(spark, stores, client):
    client.indices.delete(index=f"{stores.opensearch_index}-{day(2):%Y.%m.%d}")
    done = rehydrate(spark, stores, between(2, 2))
    assert (done.created, done.skipped[0].reason) == (0, "it is in the hot window")


@pytest.mark.parametrize("tier", ["hot", "both"])
def test_a_search_sees_each_rehydrated_event_once(spark, stores, tier):
    rehydrate(spark, stores, between(31, 30, "service = 'cart'"))
    everything = {"start": NOW - timedelta(days=60), "end": NOW + timedelta(days=1)}
    _, answer = tiers.find(Stores.of(stores), Search(tier=tier, **everything))
    back, ids = 3 + 3, [(event["partition"], event["offset"]) for event in answer.events]
    assert answer.troubles == []
    assert answer.total == len(ids) == len(set(ids)) == {"hot": 7 + back, "both": sum(DAYS.values())}[tier]
    found = tiers.trace(Stores.of(stores), "t31", NOW - timedelta(days=31), tier)
    assert len(found.events) == {"hot": 3, "both": 6}[tier]


def test_a_document_that_was_changed_fails_the_proof_by_its_coordinates(spark, stores, client):
    rehydrate(spark, stores, between(30, 30))
    forged, lost = sorted(documents(client, index_of(stores, 30)))[:2]
    client.update(index=index_of(stores, 30), id=forged, body={"doc": {"message": "forged"}})
    client.delete(index=index_of(stores, 30), id=lost, params={"refresh": "true"})
    again = rehydrate(spark, stores, between(30, 30))
    assert (again.created, again.proof.holds) == (1, False)
    assert [difference.kind for difference in again.proof.differences] == ["altered"]
    with pytest.raises(LedgerMismatch, match="Delete the indices of those days"):
        again.proof.check()


def test_what_opensearch_refuses_for_good_is_counted_and_stays_in_the_archive(spark, stores):
    old = {"timestamp": "2019-04-01T10:00:00Z", "level": "INFO", "service": "cart", "message": "m"}
    long_number = f'"share": 0.{"1" * 1_100}}}'  # more digits than OpenSearch takes
    value = f"{json.dumps(old).removesuffix('}')}, {long_number}"
    producer.produce([Record(b"order", value.encode(), None)], Topic.of(stores))
    query.run(spark, stores)
    done = rehydrate(spark, stores, Range.read("2019-04-01", "2019-04-02"))
    assert (done.created, done.refused, done.proof.holds) == (0, 1, True)
    assert [(line.archive, line.hot_refusals) for line in done.proof.days] == [(0, 1)]


# -- gone in time ----------------------------------------------------------------------------------------


@pytest.fixture
def retain(spark, monkeypatch):
    """Run the retention command within this session's Spark; returns its lines."""
    monkeypatch.setattr(type(spark), "stop", lambda self: None)

    def run(settings: Settings, dry_run: bool = False) -> list[str]:
        lines = jobs.retention(settings, dry_run=dry_run).lines()
        return [line for line in lines if settings.rehydrated_prefix in line and not line.startswith("ISM")]

    return run


def expire(client, settings: Settings, days_ago: int) -> None:
    """Let the time of expiry of a rehydrated day be a minute ago."""
    meta = {"dualsink": {"expires_at": (NOW - timedelta(minutes=1)).isoformat()}}
    client.indices.put_mapping(index=index_of(settings, days_ago), body={"_meta": meta})


def test_retention_deletes_what_has_expired_and_keeps_the_rest(spark, stores, client, retain):
    done = rehydrate(spark, stores, between(31, 30))
    assert timedelta(days=6.9) < done.expires - datetime.now(UTC) < timedelta(days=7.1)
    expire(client, stores, 31)
    told = retain(stores, dry_run=True)
    assert [line.split()[0] for line in told] == ["delete", "keep"]
    assert "rehydrated, expired on" in told[0] and "rehydrated until" in told[1]
    assert len(indices.day_indices(client, stores.rehydrated_prefix)) == 2
    retain(stores)
    assert list(indices.day_indices(client, stores.rehydrated_prefix)) == [day(30)]


def test_a_rehydrated_day_that_the_hot_tier_holds_itself_goes_at_once(spark, stores, client, retain):
    rehydrate(spark, stores, between(30, 30))
    client.indices.create(index=f"{stores.opensearch_index}-{day(30):%Y.%m.%d}")
    told = retain(stores.model_copy(update={"hot_days": 60}))
    assert "the hot tier holds this day itself" in told[0]
    assert indices.day_indices(client, stores.rehydrated_prefix) == {}


def test_on_a_cluster_with_ism_a_policy_of_their_own_deletes_them(spark, stores):
    with ism_node(stores.opensearch_url) as (port, node):
        settings = stores.model_copy(update={"opensearch_port": port, "servers": "external", "rehydrated_days": 3})
        rehydrate(spark, settings, between(30, 30))
        policy = node.policies[f"{settings.rehydrated_prefix}-retention"]["policy"]
        with closing(indices.connect(Cluster.of(settings))) as client:
            expiry = indices.expiries(client, HotTier.of(settings))[day(30)]
        assert timedelta(days=2.9) < expiry - NOW < timedelta(days=3.1)
    assert policy["states"][0]["transitions"] == [{"state_name": "expired", "conditions": {"min_index_age": "3d"}}]
    assert [set(action) - {"retry"} for action in policy["states"][1]["actions"]] == [{"delete"}]
    assert policy["ism_template"][0]["index_patterns"] == [f"{settings.rehydrated_prefix}-*"]
    assert policy["ism_template"][0]["priority"] > 100


# -- what is refused -------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["colour = 'red'", "service = ", "count(*) > 1"])
def test_a_condition_that_cannot_be_asked_is_refused(spark, stores, where):
    with pytest.raises(SettingsError, match="The condition"):
        rehydrate(spark, stores, between(31, 30, where))


@pytest.mark.parametrize(
    ("start", "end", "says"),
    [
        ("yesterday", "2026-01-02", "Cannot read 'yesterday' as a time"),
        ("2026-01-02", "2026-01-02T00:00Z", "The range from"),
    ],
)
def test_a_range_that_means_nothing_is_refused(start, end, says):
    with pytest.raises(SettingsError, match=says):
        Range.read(start, end)


def test_the_command_tells_days_rate_and_until_when(spark, stores, monkeypatch):
    monkeypatch.setattr(type(spark), "stop", lambda self: None)
    wanted = between(40, 0)
    done = jobs.rehydrate(stores, print, wanted.first.isoformat(), wanted.end.isoformat())
    lines, result, fact = list(done.lines()), done.as_dict(), done.fact
    assert f"{day(31)}: archive 6, rehydrated 6, digests equal" in lines
    assert any("events/s; CPU of an event:" in line and "µs opensearch" in line for line in lines)
    assert fact.startswith("13 documents back, 0 were there; all proven equal to the archive, searchable until ")
    assert result["proof"]["holds"] and json.dumps(result)


def test_a_range_of_which_the_archive_holds_nothing_is_told_as_such(spark, stores):
    done = rehydrate(spark, stores, between(300, 299))
    assert done.fact == "nothing was rehydrated: the archive holds no event of that range"


def test_the_archive_read_without_spark_is_what_was_rehydrated(spark, stores, client):
    rehydrate(spark, stores, between(31, 31))
    wanted = between(31, 31)
    rows = reader.rows(Stores.of(stores).table(), [reader.Slice(wanted.first, wanted.end)], ["message"])
    archived = {row["message"] for row in rows.read_all().to_pylist()}
    assert {source["message"] for source in documents(client, index_of(stores, 31)).values()} == archived


def test_an_event_that_arrives_late_beside_it_does_not_fail_its_proof(spark, stores, monkeypatch):
    send = reindex.send

    def beside(*arguments):
        sent = send(*arguments)
        producer.produce([record(31, 99)], Topic.of(stores))
        assert query.run(spark, stores)["archived"] == 1
        return sent

    monkeypatch.setattr(reindex, "send", beside)
    done = rehydrate(spark, stores, between(31, 31))
    assert (done.created, done.proof.holds) == (6, True)
    monkeypatch.undo()
    again = rehydrate(spark, stores, between(31, 31))
    assert (again.created, again.existing, again.proof.holds) == (1, 6, True)
