"""Mending on real servers: what was lost comes back once, and doing it twice changes nothing."""

from contextlib import closing
from datetime import UTC, datetime

from dualsink import checks, generator, kafka, ledger, recovery, search, stream


def test_lost_rows_and_documents_come_back_once(spark, settings):
    checks.create_all(spark, settings)
    kafka.produce(generator.generate(200, 7, 0.05, datetime.now(UTC)), settings)
    stream.run(spark, settings)
    spark.sql(f"DELETE FROM {settings.archive_table} WHERE partition = 0 AND offset < 5")
    with closing(search.connect(settings)) as client:
        search.refresh(client, settings.opensearch_index)
        query = {"query": {"term": {"partition": 1}}}
        client.delete_by_query(index=settings.opensearch_index, body=query, params={"refresh": "true"})
    assert not ledger.take(spark, settings).holds

    first = recovery.replay(spark, settings, "0", "1000000")
    assert first["archive_repaired"] > 0 and first["hot_repaired"] > 0
    ledger.take(spark, settings).check()

    again = recovery.replay(spark, settings, "0", "1000000")
    assert (again["archive_repaired"], again["hot_repaired"]) == (0, 0)


def test_repair_makes_the_hot_tier_equal_to_the_archive(spark, settings):
    checks.create_all(spark, settings)
    kafka.produce(generator.generate(100, 7, 0.0, datetime.now(UTC)), settings)
    stream.run(spark, settings)
    with closing(search.connect(settings)) as client:
        search.refresh(client, settings.opensearch_index)
        hits = client.search(index=settings.opensearch_index, body={"size": 2})["hits"]["hits"]
        client.delete(index=hits[0]["_index"], id=hits[0]["_id"])
        client.update(index=hits[1]["_index"], id=hits[1]["_id"], body={"doc": {"message": "forged"}})
    assert recovery.repair(spark, settings)["written"] == 2
    ledger.take(spark, settings).check()
    assert recovery.repair(spark, settings)["days"] == []


def test_redriving_what_is_still_malformed_changes_nothing(spark, settings):
    checks.create_all(spark, settings)
    kafka.produce(generator.generate(100, 7, 0.1, datetime.now(UTC)), settings)
    stream.run(spark, settings)
    assert recovery.redrive(spark, settings) == {"waiting": 10, "resolved": 0, "still_waiting": 10}
    ledger.take(spark, settings).check()
