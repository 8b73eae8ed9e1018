"""Lease in object storage, which has no locks.

It is renewed while its holder lives.
"""

import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from dualsink import polling
from dualsink.errors import CheckpointError, PlatformError, ServiceUnavailable
from dualsink.iceberg import storage

SECONDS = 20
"""A lease that was not renewed for so long is anybody's."""
# Conditions that no object meets which is there: a storage that writes nevertheless does not look at them.
_NEVER_MET = {"If-None-Match": {"IfNoneMatch": "*"}, "If-Match": {"IfMatch": f'"{"0" * 32}"'}}
NOT_MET = ("PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey")
"""What a storage answers to a write whose condition is not met."""


class Lease:
    """Lease kept as an object that only its holder writes.

    It uses conditional requests (`If-None-Match`, `If-Match`). How long a lease was not renewed is measured by the
    clock of the one who waits for it, so clocks need not agree. A holder that is frozen itself cannot know that its
    lease has ended: what it then writes must be fenced elsewhere.
    """

    def __init__(self, client: Any, bucket: str, key: str):
        self._client = client
        self._object = {"Bucket": bucket, "Key": key}
        self._place = f"s3://{bucket}/{key}"
        self._holder = f"{socket.gethostname()}, process {os.getpid()}, {uuid.uuid4().hex[:8]}"
        self._etag = ""
        self._lost = False

    @contextmanager
    def held(self, patience: float) -> Iterator[None]:
        """Hold the lease while the block runs.

        Raises CheckpointError if another still holds it after `patience` seconds.

        Raises PlatformError if the storage has no conditional requests, ServiceUnavailable where it is silent.
        """
        with storage.answering(self._place):
            self._acquire(patience)
        over = threading.Event()
        renewal = threading.Thread(target=self._renew, args=(over,), daemon=True)
        renewal.start()
        try:
            yield
        finally:
            over.set()
            renewal.join()
            with suppress(ServiceUnavailable), storage.answering(self._place):
                self._release()

    def check(self) -> None:
        """Raise CheckpointError unless the lease is still this holder's.

        A look at it decides.
        """
        with storage.answering(self._place):
            ours = not self._lost and self._read()[1] == self._holder
        if not ours:
            raise CheckpointError(f"{self._place} is another driver's now: this one did not renew it in {SECONDS} s.")

    def _acquire(self, patience: float) -> None:
        etag, holder, since = "", "", 0.0

        def taken() -> bool:
            nonlocal etag, holder, since
            if self._put(IfNoneMatch="*"):
                return True
            seen = etag
            etag, holder = self._read()
            if etag != seen:
                since = time.monotonic()
            return time.monotonic() > since + SECONDS and self._put(IfMatch=etag)

        if not polling.until(taken, patience, every=0.5):
            raise CheckpointError(
                f"{self._place} is in use by another driver ({holder}). Wait for it, or stop it; if it was killed, "
                f"its lease ends by itself {SECONDS} s later."
            )
        for name, condition in _NEVER_MET.items():
            if self._put(**condition):
                self._release()
                raise PlatformError(
                    f"The storage of {self._place} overwrites an object in spite of `{name}`, so nothing keeps two "
                    "drivers apart there: put the checkpoint on a volume."
                )

    def _renew(self, over: threading.Event) -> None:
        while not over.wait(SECONDS / 4):
            with suppress(BotoCoreError, ClientError):
                if not self._put(IfMatch=self._etag) and not self._adopted():
                    self._lost = True
                    return

    def _adopted(self) -> bool:
        """Return whether a request with a lost answer took it."""
        etag, holder = self._read()
        if holder == self._holder:
            self._etag = etag
        return holder == self._holder

    def _release(self) -> None:
        if self._read()[1] == self._holder:
            self._client.delete_object(**self._object)

    def _put(self, **condition: str) -> bool:
        body = json.dumps({"holder": self._holder, "renewed": datetime.now(UTC).isoformat()})
        try:
            self._etag = self._client.put_object(**self._object, **condition, Body=body.encode())["ETag"]
        except ClientError as error:
            if storage.code(error) in NOT_MET:
                return False
            raise
        return True

    def _read(self) -> tuple[str, str]:
        """ETag and holder; both empty if there is no lease."""
        try:
            found = self._client.get_object(**self._object)
        except ClientError as error:
            if storage.code(error) == "NoSuchKey":
                return "", ""
            raise
        return found["ETag"], json.loads(found["Body"].read())["holder"]
