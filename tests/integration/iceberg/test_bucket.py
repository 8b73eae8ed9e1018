"""Object Lock and tiers on the real local storage, which has the first and not the second."""

import time
from datetime import datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from dualsink.errors import PlatformError
from dualsink.iceberg import lifecycle, object_lock, reader
from dualsink.iceberg.archive import Archive
from dualsink.iceberg.storage import Bucket
from dualsink.kafka import producer
from dualsink.kafka.source import Source
from dualsink.kafka.topic import Topic
from dualsink.operations import setup
from dualsink.settings import Settings
from dualsink.spark.session import catalog
from dualsink.stream import query

NO_TIERS = "has no transitions (NotImplemented"


@pytest.fixture
def bucket(settings: Settings, request: pytest.FixtureRequest) -> Settings:
    """Settings with a bucket of the test's own: the lock of a bucket is not taken off again."""
    name = f"locked-{abs(hash(request.node.name)) % 10**9}"
    Bucket.of(settings).client.create_bucket(Bucket=name)
    changes = {"warehouse": f"s3://{name}/warehouse", "object_lock_mode": "GOVERNANCE", "object_lock_days": 30}
    return settings.model_copy(update=changes)


@pytest.fixture(scope="module")
def archive(local: Settings, spark, tmp_path_factory) -> tuple[Settings, dict[str, str]]:
    """A pipeline set up with lock and tier, in a bucket and catalogue of its own, and what setting it up said."""
    folder = tmp_path_factory.mktemp("bucket")
    names = {"kafka_topic": "bucket", "iceberg_table": "bucket", "opensearch_index": "bucket", "num_log_events": 50}
    names |= {"warehouse": "s3://locked-archive/warehouse", "catalog_name": "locked", "database_name": "locked"}
    rules = {"object_lock_mode": "GOVERNANCE", "object_lock_days": 1, "tier_storage_class": "GLACIER"}
    places = {"checkpoint_dir": str(folder / "checkpoint"), "runs_dir": str(folder)}
    settings = local.model_copy(update=names | rules | places)
    Bucket.of(settings).client.create_bucket(Bucket=settings.s3_bucket)
    for name, value in catalog(Archive.of(settings)).items():
        if name.startswith("spark.sql.catalog."):
            spark.conf.set(name, value)
    done = setup.create_all(spark, settings)
    producer.produce(Source.of(settings).records(), Topic.of(settings))
    query.run(spark, settings)
    return settings, done


def ensure_lock(settings: Settings) -> str:
    return object_lock.ensure_lock(Bucket.of(settings), settings.object_lock_mode, settings.object_lock_days)


def prove_lock(settings: Settings) -> datetime:
    return object_lock.prove_lock(Bucket.of(settings), settings.object_lock_mode)


def objects(settings: Settings, prefix: str) -> list[dict[str, Any]]:
    return Bucket.of(settings).client.list_object_versions(Bucket=settings.s3_bucket, Prefix=prefix).get("Versions", [])


def test_setting_up_says_what_was_locked_and_that_there_is_no_tier_and_goes_on(archive):
    _, done = archive
    assert done["Object Lock of bucket locked-archive (GOVERNANCE, 1 days)"] == "created"
    assert NO_TIERS in done["tier of the archive's files (GLACIER after 365 days)"]
    assert done["table locked.locked.bucket"] == "created"


def test_no_version_of_a_data_file_can_be_deleted(archive):
    settings, _ = archive
    table = reader.open_archive(Archive.of(settings))
    prefix = reader.data_folder(table).removeprefix(f"s3://{settings.s3_bucket}/")
    files = objects(settings, prefix)
    assert files
    for file in files:
        with pytest.raises(ClientError, match="AccessDenied"):
            Bucket.of(settings).client.delete_object(
                Bucket=settings.s3_bucket, Key=file["Key"], VersionId=file["VersionId"]
            )
    assert [file["VersionId"] for file in objects(settings, prefix)] == [file["VersionId"] for file in files]


def test_a_plain_deletion_as_icebergs_hides_a_file_and_frees_nothing(archive):
    settings, _ = archive
    client, bucket = Bucket.of(settings).client, settings.s3_bucket
    client.put_object(Bucket=bucket, Key="compacted.parquet", Body=b"rows")
    client.delete_object(Bucket=bucket, Key="compacted.parquet")
    with pytest.raises(ClientError, match="NoSuchKey"):
        client.get_object(Bucket=bucket, Key="compacted.parquet")
    (version,) = objects(settings, "compacted.parquet")
    kept = client.get_object(Bucket=bucket, Key="compacted.parquet", VersionId=version["VersionId"])
    assert kept["Body"].read() == b"rows"


def test_setting_up_again_tries_the_same_probe_and_adds_none(bucket):
    assert ensure_lock(bucket) == "created"
    until = prove_lock(bucket)
    assert ensure_lock(bucket) == "exists"
    assert (prove_lock(bucket), len(objects(bucket, object_lock.PROBE))) == (until, 1)
    assert 29 < (until.timestamp() - time.time()) / 86400 <= 30


def test_a_longer_and_a_stricter_lock_replace_a_weaker_one_and_never_the_other_way(bucket):
    ensure_lock(bucket)
    stricter = bucket.model_copy(update={"object_lock_mode": "COMPLIANCE", "object_lock_days": 60})
    assert ensure_lock(stricter) == "updated"
    with pytest.raises(PlatformError, match="keeps what is written for 60 days in mode COMPLIANCE"):
        ensure_lock(bucket)


def test_what_is_locked_for_compliance_no_privilege_deletes(bucket):
    strict = bucket.model_copy(update={"object_lock_mode": "COMPLIANCE"})
    ensure_lock(strict)
    (probe,) = objects(strict, object_lock.PROBE)
    with pytest.raises(ClientError, match="AccessDenied"):
        Bucket.of(strict).client.delete_object(
            Bucket=strict.s3_bucket,
            Key=probe["Key"],
            VersionId=probe["VersionId"],
            BypassGovernanceRetention=True,
        )


def test_a_bucket_that_lets_go_of_a_version_is_told_of(bucket):
    with pytest.raises(PlatformError, match="does not hold: it keeps no versions"):
        prove_lock(bucket)
    versions = {"Status": "Enabled"}
    Bucket.of(bucket).client.put_bucket_versioning(Bucket=bucket.s3_bucket, VersioningConfiguration=versions)
    with pytest.raises(PlatformError, match="does not hold: version .* could be deleted"):
        prove_lock(bucket)


def test_rules_that_were_there_survive_a_server_without_tiers(bucket):
    rule = {"ID": "theirs", "Status": "Enabled", "Filter": {"Prefix": "tmp/"}, "Expiration": {"Days": 3}}
    client = Bucket.of(bucket).client
    client.put_bucket_lifecycle_configuration(Bucket=bucket.s3_bucket, LifecycleConfiguration={"Rules": [rule]})
    tier = lifecycle.Tier("demo.logs", f"{bucket.warehouse}/data", "GLACIER_IR", 365)
    assert NO_TIERS in lifecycle.ensure_tier(Bucket.of(bucket), tier)
    (kept,) = client.get_bucket_lifecycle_configuration(Bucket=bucket.s3_bucket)["Rules"]
    assert (kept["ID"], kept["Expiration"]) == ("theirs", {"Days": 3})
