"""One holder at a time of a place in object storage, which has no locks: a lease, renewed while its holder lives."""

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

from dualsink import s3
from dualsink.errors import CheckpointError, PlatformError, ServiceUnavailable

SECONDS = 20
"""A lease that was not renewed for so long is anybody's."""
_NOT_MET = ("PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey")


class Lease:
    """A lease kept as an object that only its holder may write, by conditional requests (`If-None-Match`, `If-Match`).

    How long a lease stood still is told by the clock of the one who waits for it, so clocks need not agree. A holder
    that stands still itself cannot know that its lease has ended: what it then writes must be fenced elsewhere.
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
        """Hold it. Raises CheckpointError where another still holds it after `patience` seconds.

        Raises PlatformError where the storage has no conditional requests, ServiceUnavailable where it is silent.
        """
        with s3.answering(self._place):
            self._acquire(patience)
        over = threading.Event()
        renewal = threading.Thread(target=self._renew, args=(over,), daemon=True)
        renewal.start()
        try:
            yield
        finally:
            over.set()
            renewal.join()
            with suppress(ServiceUnavailable), s3.answering(self._place):
                self._release()

    def check(self) -> None:
        """Raise CheckpointError where it is known to be another's by now."""
        if self._lost:
            raise CheckpointError(f"{self._place} is another driver's now: this one did not renew it in {SECONDS} s.")

    def _acquire(self, patience: float) -> None:
        deadline = time.monotonic() + patience
        seen, since = "", 0.0
        while not self._put(IfNoneMatch="*"):
            etag, holder = self._read()
            if etag != seen:
                seen, since = etag, time.monotonic()
            if time.monotonic() > since + SECONDS and self._put(IfMatch=etag):
                return
            if time.monotonic() > deadline:
                raise CheckpointError(
                    f"{self._place} is in use by another driver ({holder}). Wait for it, or stop it; if it was killed, "
                    f"its lease ends by itself {SECONDS} s later."
                )
            time.sleep(0.5)
        if self._put(IfNoneMatch="*"):
            self._release()
            raise PlatformError(
                f"The storage of {self._place} overwrites an object in spite of `If-None-Match`, so nothing keeps two "
                "drivers apart there: put the checkpoint on a volume."
            )

    def _renew(self, over: threading.Event) -> None:
        while not over.wait(SECONDS / 4):
            with suppress(BotoCoreError, ClientError):
                if not self._put(IfMatch=self._etag) and not self._adopted():
                    self._lost = True
                    return

    def _adopted(self) -> bool:
        """Whether it is ours by a request whose answer was lost."""
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
            if s3.code(error) in _NOT_MET:
                return False
            raise
        return True

    def _read(self) -> tuple[str, str]:
        """ETag and holder; both empty where there is no lease."""
        try:
            found = self._client.get_object(**self._object)
        except ClientError as error:
            if s3.code(error) == "NoSuchKey":
                return "", ""
            raise
        return found["ETag"], json.loads(found["Body"].read())["holder"]
