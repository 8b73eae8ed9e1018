"""Object Lock on moto, which takes one only for an empty bucket; the integration tests ask the local storage."""

from datetime import datetime

import pytest
from botocore.exceptions import ClientError

from dualsink.errors import PlatformError
from dualsink.iceberg import object_lock
from dualsink.iceberg.storage import Bucket
from dualsink.settings import Settings


@pytest.fixture
def settings(moto_storage: Settings) -> Settings:
    """A bucket to be locked for 30 days."""
    return moto_storage.model_copy(update={"object_lock_mode": "GOVERNANCE", "object_lock_days": 30})


def ensure_lock(settings: Settings) -> str:
    return object_lock.ensure_lock(Bucket.of(settings), settings.object_lock_mode, settings.object_lock_days)


def prove_lock(settings: Settings) -> datetime:
    return object_lock.prove_lock(Bucket.of(settings), settings.object_lock_mode)


def test_what_is_written_is_kept_for_the_period_and_cannot_be_deleted(settings):
    assert ensure_lock(settings) == "created"
    client, bucket = Bucket.of(settings).client, settings.s3_bucket
    version = client.put_object(Bucket=bucket, Key="rows.parquet", Body=b"rows")["VersionId"]
    with pytest.raises(ClientError, match="AccessDenied"):
        client.delete_object(Bucket=bucket, Key="rows.parquet", VersionId=version)


def test_a_lock_that_is_there_is_tried_again_on_the_same_probe(settings):
    ensure_lock(settings)
    assert ensure_lock(settings) == "exists"
    probes = Bucket.of(settings).client.list_object_versions(Bucket=settings.s3_bucket, Prefix=object_lock.PROBE)
    assert len(probes["Versions"]) == 1


@pytest.mark.parametrize("weaker", [{"object_lock_days": 29}, {"object_lock_mode": "GOVERNANCE"}])
def test_a_weaker_lock_is_refused(settings, weaker):
    strict = settings.model_copy(update={"object_lock_mode": "COMPLIANCE"})
    ensure_lock(strict)
    with pytest.raises(PlatformError, match="keeps what is written for 30 days in mode COMPLIANCE"):
        ensure_lock(strict.model_copy(update=weaker))


def test_a_bucket_that_cannot_be_locked_any_more_is_told_of_with_what_to_do(settings):
    Bucket.of(settings).client.put_object(Bucket=settings.s3_bucket, Key="early", Body=b"")
    with pytest.raises(PlatformError, match="cannot be locked .InvalidBucket.*make one with it"):
        ensure_lock(settings)


def test_a_bucket_that_lets_go_of_a_version_is_told_of(settings):
    loose = settings.model_copy(update={"warehouse": "s3://loose-bucket/warehouse"})
    client = Bucket.of(loose).client
    client.create_bucket(Bucket="loose-bucket")
    with pytest.raises(PlatformError, match="does not hold: it keeps no versions"):
        prove_lock(loose)
    client.put_bucket_versioning(Bucket="loose-bucket", VersioningConfiguration={"Status": "Enabled"})
    with pytest.raises(PlatformError, match="does not hold: version .* could be deleted"):
        prove_lock(loose)
