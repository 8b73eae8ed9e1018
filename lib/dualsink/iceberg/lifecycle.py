"""Lifecycle rule: cheaper storage for old data files.

What a tier means for queries: docs/tiering.md.
"""

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from dualsink.errors import PlatformError
from dualsink.iceberg import storage
from dualsink.iceberg.storage import Bucket


@dataclass(frozen=True)
class Tier:
    """Tier: a cheaper storage class for old files.

    The files of a table (`database.table`) below a folder, after `days`.
    """

    table: str
    folder: str
    storage_class: str
    days: int


def ensure_tier(bucket: Bucket, tier: Tier) -> str:
    """Set the rule that moves old files to the tier.

    Files below its folder (`s3://…`) move to its class; other rules stay.

    Returns `created`, `updated`, `exists`, or that the server has no such rules: then nothing moves, and nothing else
    is lost. Raises PlatformError if the server refuses the class's name, or reads another rule back.
    """
    wanted, known = _rule(bucket, tier), _rules(bucket)
    found = next((rule for rule in known if rule.get("ID") == wanted["ID"]), None)
    if found and _is(found, wanted):
        return "exists"
    rules = [rule for rule in known if rule is not found] + [wanted]
    try:
        bucket.client.put_bucket_lifecycle_configuration(Bucket=bucket.name, LifecycleConfiguration={"Rules": rules})
    except ClientError as error:
        return _refused(error, bucket, tier)
    _read_back(bucket, wanted)
    return "updated" if found else "created"


def _rule(bucket: Bucket, tier: Tier) -> dict[str, Any]:
    """Return the rule as S3 reads it.

    Versions that Iceberg has deleted, and Object Lock keeps, move as well.
    """
    return {
        "ID": f"dualsink-tier-{tier.table}",
        "Status": "Enabled",
        "Filter": {"Prefix": tier.folder.removeprefix(f"s3://{bucket.name}/").rstrip("/") + "/"},
        "Transitions": [{"Days": tier.days, "StorageClass": tier.storage_class}],
        "NoncurrentVersionTransitions": [{"NoncurrentDays": tier.days, "StorageClass": tier.storage_class}],
    }


def _rules(bucket: Bucket) -> list[dict[str, Any]]:
    try:
        return bucket.client.get_bucket_lifecycle_configuration(Bucket=bucket.name)["Rules"]
    except ClientError as error:
        if storage.code(error) in ("NoSuchLifecycleConfiguration", "NotImplemented"):
            return []
        raise


def _is(found: dict[str, Any], wanted: dict[str, Any]) -> bool:
    return all(found.get(name) == value for name, value in wanted.items())


def _refused(error: ClientError, bucket: Bucket, tier: Tier) -> str:
    reason = f"{storage.code(error)}: {error.response['Error'].get('Message', '')}"
    if storage.code(error) != "NotImplemented":
        raise PlatformError(
            f"{bucket.endpoint} refuses to move files to {tier.storage_class} ({reason}). Set "
            "tier_storage_class to a tier that this storage has."
        )
    return f"not there: {bucket.endpoint} has no transitions ({reason}), so all files stay where they are"


def _read_back(bucket: Bucket, wanted: dict[str, Any]) -> None:
    stored = next((rule for rule in _rules(bucket) if rule.get("ID") == wanted["ID"]), {})
    if not _is(stored, wanted):
        raise PlatformError(f"Bucket {bucket.name} keeps another rule than it was given: {stored} instead of {wanted}.")
