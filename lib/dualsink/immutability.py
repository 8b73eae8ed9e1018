"""Object Lock on the archive's bucket: for a time, nobody can delete or overwrite a version that was written.

What it means for compaction, expiry and erasure: docs/object-lock.md.
"""

from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from dualsink import s3
from dualsink.errors import PlatformError
from dualsink.settings import Settings

PROBE = ".dualsink-object-lock"
"""Object that is written to be deleted in vain."""
_MODES = ("GOVERNANCE", "COMPLIANCE")


def ensure_lock(settings: Settings) -> str:
    """Give the bucket versioning and a default retention, as `object_lock_mode` and `object_lock_days` say.

    Returns `created`, `updated` or `exists`, in every case after a version was tried to be deleted and the server
    refused. Raises PlatformError where the bucket cannot be locked, is locked more strictly, or lets go of a version.
    """
    client, bucket = s3.client(settings), settings.s3_bucket
    wanted = {"Mode": settings.object_lock_mode, "Days": settings.object_lock_days}
    found = _default_retention(client, bucket)
    if found != wanted:
        _refuse_weaker(found, wanted, bucket)
        _lock(client, bucket, wanted)
    prove_lock(settings)
    return "exists" if found == wanted else "updated" if found else "created"


def prove_lock(settings: Settings) -> datetime:
    """Try to delete a locked version of PROBE; returns until when it is kept (UTC).

    Raises PlatformError where the server deletes it. There is one new version of the probe at most per period.
    """
    client, bucket = s3.client(settings), settings.s3_bucket
    version, until = _locked_probe(client, settings) or _new_probe(client, bucket)
    try:
        client.delete_object(Bucket=bucket, Key=PROBE, VersionId=version)
    except ClientError as refusal:
        if s3.code(refusal) == "AccessDenied":
            return until
        raise
    raise PlatformError(
        f"Object Lock of bucket {bucket} does not hold: version {version} of {PROBE}, which is to be kept until "
        f"{until:%Y-%m-%d %H:%M} UTC, could be deleted. Take another storage, or set object_lock_mode to nothing."
    )


def _default_retention(client: Any, bucket: str) -> dict[str, Any]:
    """Mode and days of what is written without a word about it; empty where nothing is locked."""
    try:
        found = client.get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"]
    except ClientError as error:
        if s3.code(error) in ("ObjectLockConfigurationNotFoundError", "NoSuchObjectLockConfiguration"):
            return {}
        raise PlatformError(f"Bucket {bucket} does not tell about Object Lock: {error}") from None
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


def _lock(client: Any, bucket: str, retention: dict[str, Any]) -> None:
    configuration = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": retention}}
    try:
        client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        client.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration=configuration)
    except ClientError as error:
        raise PlatformError(
            f"Bucket {bucket} cannot be locked ({s3.code(error)}: {error.response['Error'].get('Message', '')}). Some "
            "servers take Object Lock only when a bucket is made: make one with it, and name it in `warehouse`."
        ) from None


def _locked_probe(client: Any, settings: Settings) -> tuple[str, datetime] | None:
    """A version of the probe that is still locked in the wanted mode, and until when."""
    known = client.list_object_versions(Bucket=settings.s3_bucket, Prefix=PROBE).get("Versions", [])
    for version in known:
        mode, until = _retention(client, settings.s3_bucket, version["VersionId"])
        if mode == settings.object_lock_mode and until > datetime.now(UTC):
            return version["VersionId"], until
    return None


def _new_probe(client: Any, bucket: str) -> tuple[str, datetime]:
    written = client.put_object(Bucket=bucket, Key=PROBE, Body=b"to be deleted in vain\n")
    if "VersionId" not in written:
        raise PlatformError(
            f"Object Lock of bucket {bucket} does not hold: it keeps no versions, so nothing is locked."
        )
    _, until = _retention(client, bucket, written["VersionId"])
    return written["VersionId"], until


def _retention(client: Any, bucket: str, version: str) -> tuple[str, datetime]:
    """Mode and end of one version's retention; without one, an end that is long over."""
    found = client.head_object(Bucket=bucket, Key=PROBE, VersionId=version)
    nothing = datetime.fromtimestamp(0, UTC)
    return found.get("ObjectLockMode", ""), found.get("ObjectLockRetainUntilDate", nothing)
