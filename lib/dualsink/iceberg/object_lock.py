"""Object Lock: versions that nobody can delete for a time.

What it means for compaction, expiry and erasure: docs/object-lock.md.
"""

from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from dualsink.errors import PlatformError
from dualsink.iceberg import storage
from dualsink.iceberg.storage import Bucket

PROBE = ".dualsink-object-lock"
"""Object on which a deletion is tried, which must fail."""
_MODES = ("GOVERNANCE", "COMPLIANCE")


def ensure_lock(bucket: Bucket, mode: str, days: int) -> str:
    """Set versioning and default retention of the bucket.

    For `days` in a mode (GOVERNANCE, COMPLIANCE). Returns `created`, `updated` or `exists`, in every case after a
    version was tried to be deleted and the server refused. Raises PlatformError if the bucket cannot be locked, is
    locked more strictly, or lets go of a version.
    """
    wanted = {"Mode": mode, "Days": days}
    found = _default_retention(bucket)
    if found != wanted:
        _refuse_weaker(found, wanted, bucket.name)
        _lock(bucket, wanted)
    prove_lock(bucket, mode)
    return "exists" if found == wanted else "updated" if found else "created"


def prove_lock(bucket: Bucket, mode: str) -> datetime:
    """Prove that a locked version of PROBE cannot be deleted.

    It is locked in a mode; returns until when it is kept (UTC).

    Raises PlatformError if the server deletes it. There is one new version of the probe at most per period.
    """
    version, until = _locked_probe(bucket, mode) or _new_probe(bucket)
    try:
        bucket.client.delete_object(Bucket=bucket.name, Key=PROBE, VersionId=version)
    except ClientError as refusal:
        if storage.code(refusal) == "AccessDenied":
            return until
        raise
    raise PlatformError(
        f"Object Lock of bucket {bucket.name} does not hold: version {version} of {PROBE}, which is to be kept until "
        f"{until:%Y-%m-%d %H:%M} UTC, could be deleted. Take another storage, or set object_lock_mode to nothing."
    )


def _default_retention(bucket: Bucket) -> dict[str, Any]:
    """Return the bucket's default mode and days, if any."""
    try:
        found = bucket.client.get_object_lock_configuration(Bucket=bucket.name)["ObjectLockConfiguration"]
    except ClientError as error:
        if storage.code(error) in ("ObjectLockConfigurationNotFoundError", "NoSuchObjectLockConfiguration"):
            return {}
        raise PlatformError(f"Bucket {bucket.name} gives no answer about Object Lock: {error}") from None
    retention = found.get("Rule", {}).get("DefaultRetention")
    if not retention:
        return {}
    return {"Mode": retention["Mode"], "Days": retention.get("Days") or retention["Years"] * 365}


def _refuse_weaker(found: dict[str, Any], wanted: dict[str, Any], bucket: str) -> None:
    if not found:
        return
    if wanted["Days"] < found["Days"] or _MODES.index(wanted["Mode"]) < _MODES.index(found["Mode"]):
        raise PlatformError(
            f"Bucket {bucket} keeps what is written for {found['Days']} days in mode {found['Mode']}. The parameters "
            f"ask for {wanted['Days']} days in mode {wanted['Mode']}: a weaker lock is never set from here."
        )


def _lock(bucket: Bucket, retention: dict[str, Any]) -> None:
    configuration = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": retention}}
    try:
        bucket.client.put_bucket_versioning(Bucket=bucket.name, VersioningConfiguration={"Status": "Enabled"})
        bucket.client.put_object_lock_configuration(Bucket=bucket.name, ObjectLockConfiguration=configuration)
    except ClientError as error:
        reason = f"{storage.code(error)}: {error.response['Error'].get('Message', '')}"
        raise PlatformError(
            f"Bucket {bucket.name} cannot be locked ({reason}). "
            "Some servers take Object Lock only when a bucket is made: make one with it, and name it in `warehouse`."
        ) from None


def _locked_probe(bucket: Bucket, mode: str) -> tuple[str, datetime] | None:
    """Return a locked version of the probe, and its end.

    It is locked in the mode that the parameters ask for.
    """
    known = bucket.client.list_object_versions(Bucket=bucket.name, Prefix=PROBE).get("Versions", [])
    for version in known:
        found, until = _retention(bucket, version["VersionId"])
        if found == mode and until > datetime.now(UTC):
            return version["VersionId"], until
    return None


def _new_probe(bucket: Bucket) -> tuple[str, datetime]:
    written = bucket.client.put_object(Bucket=bucket.name, Key=PROBE, Body=b"to be deleted in vain\n")
    if "VersionId" not in written:
        raise PlatformError(
            f"Object Lock of bucket {bucket.name} does not hold: it keeps no versions, so nothing is locked."
        )
    _, until = _retention(bucket, written["VersionId"])
    return written["VersionId"], until


def _retention(bucket: Bucket, version: str) -> tuple[str, datetime]:
    """Return mode and end of one version's retention.

    Without a retention the end is one that is long past.
    """
    found = bucket.client.head_object(Bucket=bucket.name, Key=PROBE, VersionId=version)
    nothing = datetime.fromtimestamp(0, UTC)
    return found.get("ObjectLockMode", ""), found.get("ObjectLockRetainUntilDate", nothing)
