"""Lifecycle rules on a server that stores them (moto's); one that does not is asked in the integration tests."""

import pytest
from botocore.exceptions import ClientError

from dualsink.iceberg import lifecycle
from dualsink.iceberg.storage import Bucket
from dualsink.settings import Settings

OTHERS = {"ID": "theirs", "Status": "Enabled", "Filter": {"Prefix": "tmp/"}, "Expiration": {"Days": 3}}


@pytest.fixture
def settings(moto_storage: Settings) -> Settings:
    """A bucket on moto's server, and a tier after a year."""
    return moto_storage.model_copy(update={"tier_storage_class": "GLACIER"})


def ensure_tier(settings: Settings) -> str:
    table, folder = f"{settings.database_name}.{settings.iceberg_table}", f"{settings.warehouse}/demo/logs_1/data"
    tier = lifecycle.Tier(table, folder, settings.tier_storage_class, settings.tier_after_days)
    return lifecycle.ensure_tier(Bucket.of(settings), tier)


def rules(settings: Settings) -> dict[str, dict]:
    stored = Bucket.of(settings).client.get_bucket_lifecycle_configuration(Bucket=settings.s3_bucket)["Rules"]
    return {rule["ID"]: rule for rule in stored}


def test_files_of_the_archive_move_to_the_tier_after_a_year(settings):
    assert ensure_tier(settings) == "created"
    (rule,) = rules(settings).values()
    assert rule["Filter"] == {"Prefix": "warehouse/demo/logs_1/data/"}
    assert rule["Transitions"] == [{"Days": 365, "StorageClass": "GLACIER"}]
    assert rule["NoncurrentVersionTransitions"] == [{"NoncurrentDays": 365, "StorageClass": "GLACIER"}]


def test_a_rule_that_is_there_is_left_as_it_is(settings):
    ensure_tier(settings)
    assert ensure_tier(settings) == "exists"


def test_other_days_and_another_tier_replace_the_rule(settings):
    ensure_tier(settings)
    changed = settings.model_copy(update={"tier_after_days": 90, "tier_storage_class": "GLACIER_IR"})
    assert ensure_tier(changed) == "updated"
    (rule,) = rules(settings).values()
    assert rule["Transitions"] == [{"Days": 90, "StorageClass": "GLACIER_IR"}]


def test_rules_of_others_and_of_other_tables_stay(settings):
    Bucket.of(settings).client.put_bucket_lifecycle_configuration(
        Bucket=settings.s3_bucket, LifecycleConfiguration={"Rules": [OTHERS]}
    )
    ensure_tier(settings)
    ensure_tier(settings.model_copy(update={"iceberg_table": "other"}))
    assert rules(settings)["theirs"] == OTHERS
    assert len(rules(settings)) == 3


def test_a_bucket_that_is_not_there_is_an_error_and_not_a_missing_feature(settings):
    with pytest.raises(ClientError, match="NoSuchBucket"):
        ensure_tier(settings.model_copy(update={"warehouse": "s3://nowhere/else"}))
