"""The archive's storage, asked directly."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from pyarrow.fs import S3FileSystem

from dualsink.errors import DeploymentError, ServiceUnavailable
from dualsink.settings import Settings


def client(settings: Settings, config: Config | None = None) -> Any:
    """A boto3 client of the archive's storage; keys come from the environment, patience from `config`."""
    return boto3.client(
        "s3",
        endpoint_url=settings.s3_endpoint,
        region_name=settings.s3_region,
        aws_access_key_id=settings.secret("s3_access_key_env"),
        aws_secret_access_key=settings.secret("s3_secret_key_env"),
        config=config,
    )


def code(error: ClientError) -> str:
    """S3's word for what went wrong, such as `AccessDenied`."""
    return error.response["Error"]["Code"]


@contextmanager
def answering(place: str) -> Iterator[None]:
    """Tell of a storage that is silent (ServiceUnavailable) or refuses (DeploymentError) what is done at a place."""
    try:
        yield
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500:
            raise ServiceUnavailable(f"The storage failed at {place}: {error}") from None
        raise DeploymentError(f"The storage refused {place}: {error}") from None
    except BotoCoreError as error:
        raise ServiceUnavailable(f"The storage could not be asked for {place}: {error}") from None


def storage(settings: Settings) -> S3FileSystem:
    """The archive's storage as a file system of Arrow; keys come from the environment."""
    address = urlsplit(settings.s3_endpoint)
    return S3FileSystem(
        scheme=address.scheme,
        endpoint_override=address.netloc,
        region=settings.s3_region,
        access_key=settings.secret("s3_access_key_env"),
        secret_key=settings.secret("s3_secret_key_env"),
        connect_timeout=10,
        request_timeout=60,
    )
