"""Encryption of the archive's bucket by its storage.

The bucket's default covers every writer: Arrow, which writes the data files, has no word for it.
"""

from botocore.exceptions import ClientError

from dualsink.errors import PlatformError
from dualsink.iceberg import storage
from dualsink.iceberg.storage import Bucket


def ensure(bucket: Bucket, kind: str, key: str = "") -> str:
    """Make the bucket encrypt by default.

    By `AES256` or `aws:kms`, the latter with a key of KMS or the account's. Returns `created`, `updated` or `exists`.
    Raises PlatformError if the storage does not take it.
    """
    wanted = {"SSEAlgorithm": kind} | ({"KMSMasterKeyID": key} if key else {})
    known = _known(bucket)
    if known == wanted:
        return "exists"
    rules = [{"ApplyServerSideEncryptionByDefault": wanted}]
    try:
        bucket.client.put_bucket_encryption(Bucket=bucket.name, ServerSideEncryptionConfiguration={"Rules": rules})
    except ClientError as error:
        raise PlatformError(
            f"Bucket {bucket.name} does not take {kind} as its encryption ({storage.code(error)}): grant "
            "s3:PutEncryptionConfiguration, or leave s3_sse empty and set it there."
        ) from None
    return "updated" if known else "created"


def _known(bucket: Bucket) -> dict[str, str]:
    try:
        found = bucket.client.get_bucket_encryption(Bucket=bucket.name)
    except ClientError:
        return {}
    return found["ServerSideEncryptionConfiguration"]["Rules"][0]["ApplyServerSideEncryptionByDefault"]
