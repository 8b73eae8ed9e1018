"""The archive's storage, asked directly."""

from typing import Any

import boto3
from botocore.config import Config

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
