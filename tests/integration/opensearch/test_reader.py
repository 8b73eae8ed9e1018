"""The reader on a real node of whose index one shard of two is lost: no partial answer is taken for a whole one."""

import pytest
from opensearchpy import OpenSearch
from tests.support.lost_shard import lost_shard

from dualsink.errors import PartialAnswer
from dualsink.opensearch import reader
from dualsink.settings import Settings

DOCUMENTS = 40


@pytest.fixture
def index(client: OpenSearch, settings: Settings) -> str:
    """An index of two shards, each of which has some of 40 documents."""
    name = f"{settings.opensearch_index}-two"
    body = {"settings": {"number_of_shards": 2, "number_of_replicas": 1}}
    client.indices.create(index=name, body=body, params={"wait_for_active_shards": "1"})
    for number in range(DOCUMENTS):
        client.index(index=name, id=str(number), body={"number": number})
    client.indices.refresh(index=name)
    return name


def scanned(client: OpenSearch, index: str) -> int:
    return sum(len(page) for page in reader.scan(client, index, slice=0, slices=1))


def test_a_whole_index_is_read_and_missing_replicas_are_no_loss(client, index):
    assert reader.count(client, index) == scanned(client, index) == DOCUMENTS
    assert len(reader.search(client, index, {"size": 100})["hits"]["hits"]) == DOCUMENTS
    found = reader.stats(client, f"{index}*")[index]
    assert (found.documents, found.shards, found.lost) == (DOCUMENTS, 2, 0)
    reader.refresh(client, index)


def test_an_index_of_a_small_result_window_is_read_whole(client, index):
    client.indices.put_settings(index=index, body={"index.max_result_window": 5})
    assert scanned(client, index) == DOCUMENTS


def test_pages_of_large_documents_have_few_of_them(client, settings):
    name, body = f"{settings.opensearch_index}-large", {"mappings": {"enabled": False}}
    client.indices.create(index=name, body=body)
    small, large = ({"message": "x" * size} for size in (100, 100_000))
    for many in [[small] * 500] + [[large] * 50] * 40:
        client.bulk(index=name, body=[line for each in many for line in ({"index": {}}, each)])
    client.indices.refresh(index=name)
    pages = [(len(page), len(str(page))) for page in reader.scan(client, name, slice=0, slices=1)]
    assert sum(count for count, _ in pages) == 2_500
    assert max(count for count, _ in pages) > 100
    assert sum(size > 2 * reader.PAGE_BYTES for _, size in pages) <= 1, "the page in which they become large"


def test_no_index_is_an_empty_answer(client, settings):
    assert reader.count(client, settings.opensearch_index) == 0
    assert (
        reader.search(client, settings.opensearch_index, {"aggs": {"n": {"max": {"field": "n"}}}})["hits"]["hits"] == []
    )


def test_an_index_that_has_lost_a_shard_is_refused_by_every_reader(client, index):
    with lost_shard(client, index):
        assert client.count(index=index)["count"] < DOCUMENTS, "OpenSearch itself answers with a part"
        for read in (
            lambda: reader.count(client, index),
            lambda: reader.search(client, index, {"size": 100}),
            lambda: scanned(client, index),
        ):
            with pytest.raises(PartialAnswer, match=f"{index} in part only: .*shard"):
                read()
        found = reader.stats(client, f"{index}*")[index]
        assert (found.shards, found.lost) == (2, 1) and found.documents < DOCUMENTS
    assert reader.count(client, index) == scanned(client, index) == DOCUMENTS


def test_a_scan_whose_shard_is_lost_between_two_pages_is_whole_or_refused(client, index):
    pages = reader.scan(client, index, slice=0, slices=1)
    found = len(next(pages))
    with lost_shard(client, index):
        try:
            found += sum(map(len, pages))
        except PartialAnswer:
            return
    assert found == DOCUMENTS, "the node kept what the point in time needs"


def test_a_person_sees_the_part_and_that_it_is_one(client, index):
    assert reader.search_what_answers(client, index, {"size": 100})[1] == ""
    with lost_shard(client, index):
        found, missing = reader.search_what_answers(client, index, {"size": 100})
        assert 0 < len(found["hits"]["hits"]) < DOCUMENTS
        assert "1 of 2 shards" in missing


def test_a_sum_that_comes_from_the_index_s_metadata_is_whole(client, index):
    newest = {"size": 0, "aggs": {"last": {"max": {"field": "number"}}}}
    assert reader.search(client, index, newest)["hits"]["total"]["value"] == DOCUMENTS


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ({"timed_out": True, "_shards": {"total": 2, "successful": 2, "failed": 0}}, "the time limit was hit"),
        ({"_shards": {"total": 2, "successful": 1, "failed": 0}}, "1 of 2 shards did not answer"),
        ({"timed_out": False, "_shards": {"total": 2, "successful": 2, "failed": 0}}, ""),
    ],
)
def test_what_is_missing_is_told(answer, told):
    assert reader.missing(answer) == told
