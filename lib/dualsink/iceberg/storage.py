"""The archive's storage, asked directly."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, SSLError
from pyarrow.fs import S3FileSystem

from dualsink.errors import DeploymentError, ServiceUnavailable
from dualsink.iceberg import security
from dualsink.iceberg.servers import Storage
from dualsink.settings import Settings


def client(storage: Storage, config: Config | None = None) -> Any:
    """Return a boto3 client whose objects are encrypted as asked.

    Keys come from the environment, timeouts from `config`.
    """
    maker = boto3.Session(profile_name=storage.profile) if storage.profile else boto3
    client = maker.client(
        "s3",
        endpoint_url=storage.endpoint,
        region_name=storage.region,
        verify=storage.ca_file or None,
        config=config,
        **security.keys(storage),
    )
    if storage.sse:
        encryption = security.sse(storage)
        client.meta.events.register("provide-client-params.s3.PutObject", lambda params, **_: params | encryption)
    return client


def file_system(storage: Storage) -> S3FileSystem:
    """Return the storage as a file system of Arrow.

    Keys come from the environment, or from the profile.
    """
    address, keys = urlsplit(storage.endpoint), security.keys_or_profile(storage)
    return S3FileSystem(
        scheme=address.scheme,
        endpoint_override=address.netloc,
        region=storage.region,
        access_key=keys.get("aws_access_key_id"),
        secret_key=keys.get("aws_secret_access_key"),
        session_token=keys.get("aws_session_token"),
        tls_ca_file_path=storage.ca_file or None,
        connect_timeout=10,
        request_timeout=60,
    )


@dataclass(frozen=True)
class Bucket:
    """Bucket of the warehouse: client, name, and address for messages."""

    client: Any
    name: str
    endpoint: str

    @classmethod
    def of(cls, settings: Settings) -> "Bucket":
        """Return the bucket of the settings' warehouse."""
        storage = Storage.of(settings)
        return cls(client(storage), storage.bucket, storage.endpoint)


def code(error: ClientError) -> str:
    """S3's word for what went wrong, such as `AccessDenied`."""
    return error.response["Error"]["Code"]


@contextmanager
def answering(place: str) -> Iterator[None]:
    """Translate failures of the storage during the block.

    Raises ServiceUnavailable if it is silent, DeploymentError if it refuses; the message names the place.
    """
    try:
        yield
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500:
            raise ServiceUnavailable(f"The storage failed at {place}: {error}") from None
        raise DeploymentError(f"The storage refused {place}: {error}") from None
    except SSLError as error:
        raise DeploymentError(f"The storage is not trusted for {place}: {error}; see s3_ca_file.") from None
    except BotoCoreError as error:
        raise ServiceUnavailable(f"The storage could not be asked for {place}: {error}") from None
