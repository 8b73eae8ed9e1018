"""The mapping of day indices on a real node: what can be found by which field."""

import pytest
from opensearchpy import OpenSearch

from dualsink.opensearch import index as indices
from dualsink.opensearch.hot_tier import HotTier
from dualsink.settings import Settings


@pytest.fixture
def day(client: OpenSearch, settings: Settings) -> str:
    """A day with ten documents, `log_000` to `log_009`."""
    name, template = f"{settings.opensearch_index}-2026.11.28", indices.template_body(HotTier.of(settings))["template"]
    client.indices.create(index=name, body={part: template[part] for part in ("settings", "mappings")})
    for number in range(10):
        client.index(index=name, id=str(number), body={"log_id": f"log_{number:03d}", "message": "paid"})
    client.indices.refresh(index=name)
    return name


QUERIES = {
    "term": ({"term": {"log_id": "log_007"}}, 1),
    "terms": ({"terms": {"log_id": ["log_001", "log_007", "log_999"]}}, 2),
    "query string": ({"query_string": {"query": 'log_id:"log_007" AND message:paid'}}, 1),
    "prefix": ({"prefix": {"log_id": "log_00"}}, 10),
    "wildcard": ({"wildcard": {"log_id": "*_007"}}, 1),
    "range": ({"range": {"log_id": {"gte": "log_008"}}}, 2),
    "exists": ({"exists": {"field": "log_id"}}, 10),
    "absent": ({"term": {"log_id": "log_010"}}, 0),
}


def test_an_event_is_found_by_its_log_id_which_is_not_indexed(client, day):
    assert indices.MAPPING["properties"]["log_id"]["index"] is False
    found = {name: client.count(index=day, body={"query": query})["count"] for name, (query, _) in QUERIES.items()}
    assert found == {name: count for name, (_, count) in QUERIES.items()}
