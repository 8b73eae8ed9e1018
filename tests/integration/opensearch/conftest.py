"""What the tests on a real node of OpenSearch share."""

from collections.abc import Iterator
from contextlib import closing

import pytest
from opensearchpy import OpenSearch

from dualsink.opensearch import index as indices
from dualsink.opensearch.cluster import Cluster
from dualsink.settings import Settings


@pytest.fixture
def client(local: Settings) -> Iterator[OpenSearch]:
    with closing(indices.connect(Cluster.of(local))) as client:
        yield client
