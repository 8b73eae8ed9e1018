"""The size of an event is what both stores say of themselves."""

from contextlib import closing
from datetime import UTC, datetime

import matplotlib.pyplot as plt
import pytest

from dualsink import checks, cost, generator, jobs, kafka, search, stream
from dualsink.errors import PlatformError


def test_sizes_are_those_of_both_stores_and_the_command_draws_them(spark, settings, tmp_path):
    checks.create_all(spark, settings)
    with pytest.raises(PlatformError, match="a store holds none"):
        jobs.cost(settings, print)
    kafka.produce(generator.generate(400, 3, 0.0, datetime.now(UTC)), settings)
    stream.run(spark, settings)
    said: list[str] = []
    found, fact = jobs.cost(settings, said.append, tmp_path / "cost.png")
    files = spark.table(f"{settings.archive_table}.files").selectExpr("sum(file_size_in_bytes)").first()[0]
    with closing(search.connect(settings)) as client:
        shards = client.cat.indices(index=f"{settings.opensearch_index}-*", params={"format": "json", "bytes": "b"})
    assert found == {
        "hot_events": 400, "hot_bytes": sum(int(each["pri.store.size"]) for each in shards),
        "archive_events": 400, "archive_bytes": files,
    }  # fmt: skip
    assert f"{files / 400:.1f}" in said[0] and fact.startswith("measured on 400 events in OpenSearch")
    assert plt.imread(tmp_path / "cost.png").shape[1] > 1000
    assert cost.tiers(cost.measure(settings), settings)[1].bytes_per_event == files / 400
