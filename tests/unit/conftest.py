"""Storage that stores what the local server does not."""

import os
from collections.abc import Iterator
from uuid import uuid4

import pytest
from moto.server import ThreadedMotoServer

from dualsink.iceberg import storage
from dualsink.iceberg.servers import Storage
from dualsink.settings import Settings


@pytest.fixture
def moto_storage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """Settings whose bucket is on moto's server, made with Object Lock and empty."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    keys = {"s3_access_key_env": "MOTO_ACCESS", "s3_secret_key_env": "MOTO_SECRET"}
    for name in keys.values():
        monkeypatch.setitem(os.environ, name, "any")
    endpoint = "http://{}:{}".format(*server.get_host_and_port())
    # All of moto's servers in a process have the same buckets.
    settings = Settings.from_values(
        {"s3_endpoint": endpoint, "warehouse": f"s3://bucket-{uuid4().hex}/warehouse", **keys}
    )
    storage.client(Storage.of(settings)).create_bucket(Bucket=settings.s3_bucket, ObjectLockEnabledForBucket=True)
    yield settings
    server.stop()
