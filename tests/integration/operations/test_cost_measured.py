"""The size of an event is what both stores say of themselves."""

from contextlib import closing
from datetime import UTC, datetime

import matplotlib.pyplot as plt
import pytest

from dualsink.cli import jobs
from dualsink.errors import PlatformError
from dualsink.iceberg.archive import Archive
from dualsink.kafka import generator, producer
from dualsink.kafka.topic import Topic
from dualsink.opensearch import index
from dualsink.opensearch.cluster import Cluster
from dualsink.opensearch.hot_tier import HotTier
from dualsink.operations import cost, setup
from dualsink.stream import query


def test_sizes_are_those_of_both_stores_and_the_command_draws_them(spark, settings, tmp_path):
    setup.create_all(spark, settings)
    with pytest.raises(PlatformError, match="a store holds none"):
        jobs.cost(settings)
    producer.produce(generator.generate(400, 3, 0.0, datetime.now(UTC)), Topic.of(settings))
    query.run(spark, settings)
    done = jobs.cost(settings, picture=tmp_path / "cost.png")
    files = spark.table(f"{settings.archive_table}.files").selectExpr("sum(file_size_in_bytes)").first()[0]
    with closing(index.connect(Cluster.of(settings))) as client:
        shards = client.cat.indices(index=f"{settings.opensearch_index}-*", params={"format": "json", "bytes": "b"})
    assert done.as_dict() == {
        "hot_events": 400, "hot_bytes": sum(int(each["pri.store.size"]) for each in shards),
        "archive_events": 400, "archive_bytes": files,
    }  # fmt: skip
    assert f"{files / 400:.1f}" in list(done.lines())[0] and done.fact.startswith(
        "measured on 400 events in OpenSearch"
    )
    assert plt.imread(tmp_path / "cost.png").shape[1] > 900
    measured = cost.measure(Archive.of(settings), HotTier.of(settings))
    assert cost.tiers(measured, cost.Assumptions.of(settings))[1].bytes_per_event == files / 400
