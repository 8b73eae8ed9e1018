"""Cheaper storage for old files: a lifecycle rule on the archive's data folder, written and read back.

What a tier means for queries: docs/tiering.md.
"""

from typing import Any

from botocore.exceptions import ClientError

from dualsink import s3
from dualsink.errors import PlatformError
from dualsink.settings import Settings


def ensure_tier(settings: Settings, folder: str) -> str:
    """Let files below `folder` (`s3://…`) move to `tier_storage_class` after `tier_after_days`; other rules stay.

    Returns `created`, `updated`, `exists`, or that the server has no such rules: then nothing moves, and nothing else
    is lost. Raises PlatformError where the server refuses the tier's name, or reads another rule back.
    """
    client, bucket = s3.client(settings), settings.s3_bucket
    wanted, known = _rule(settings, folder), _rules(client, bucket)
    found = next((rule for rule in known if rule.get("ID") == wanted["ID"]), None)
    if found and _is(found, wanted):
        return "exists"
    rules = [rule for rule in known if rule is not found] + [wanted]
    try:
        client.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": rules})
    except ClientError as error:
        return _refused(error, settings)
    _read_back(client, bucket, wanted)
    return "updated" if found else "created"


def _rule(settings: Settings, folder: str) -> dict[str, Any]:
    """The rule in S3's words. Versions that Iceberg has deleted, and Object Lock keeps, move as well."""
    days, tier = settings.tier_after_days, settings.tier_storage_class
    return {
        "ID": f"dualsink-tier-{settings.database_name}.{settings.iceberg_table}",
        "Status": "Enabled",
        "Filter": {"Prefix": folder.removeprefix(f"s3://{settings.s3_bucket}/").rstrip("/") + "/"},
        "Transitions": [{"Days": days, "StorageClass": tier}],
        "NoncurrentVersionTransitions": [{"NoncurrentDays": days, "StorageClass": tier}],
    }


def _rules(client: Any, bucket: str) -> list[dict[str, Any]]:
    try:
        return client.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    except ClientError as error:
        if s3.code(error) in ("NoSuchLifecycleConfiguration", "NotImplemented"):
            return []
        raise


def _is(found: dict[str, Any], wanted: dict[str, Any]) -> bool:
    return all(found.get(name) == value for name, value in wanted.items())


def _refused(error: ClientError, settings: Settings) -> str:
    reason = f"{s3.code(error)}: {error.response['Error'].get('Message', '')}"
    if s3.code(error) != "NotImplemented":
        raise PlatformError(
            f"{settings.s3_endpoint} refuses to move files to {settings.tier_storage_class} ({reason}). Set "
            "tier_storage_class to a tier that this storage has."
        )
    return f"not there: {settings.s3_endpoint} has no transitions ({reason}), so all files stay where they are"


def _read_back(client: Any, bucket: str, wanted: dict[str, Any]) -> None:
    stored = next((rule for rule in _rules(client, bucket) if rule.get("ID") == wanted["ID"]), {})
    if not _is(stored, wanted):
        raise PlatformError(f"Bucket {bucket} keeps another rule than it was given: {stored} instead of {wanted}.")
