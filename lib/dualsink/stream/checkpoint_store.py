"""Checkpoint in object storage, stored step by step.

Spark works in a folder of its own, and each step of it is stored before the next. Spark's own way would be Hadoop's
S3A, with an AWS SDK of half a gigabyte and renames that are none. A checkpoint is a few small files a batch, of which
Spark reads only the newest, and a stored one that is a step behind is safe: the archive's markers identify a replayed
batch, see docs/decisions/0011-checkpoint.md.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from botocore.config import Config
from botocore.exceptions import ClientError

from dualsink.errors import CheckpointError, DualsinkError
from dualsink.iceberg.servers import Storage
from dualsink.iceberg.storage import answering, client, code
from dualsink.stream.lease import NOT_MET, Lease

LEASE, LOCK = "lease.json", ".lock"
"""What keeps drivers apart: an object of the stored checkpoint, a file of the folder."""
_MOST_KEYS = 1_000
"""S3's limit of keys in one deletion."""


class _Stored(NamedTuple):
    """File's age in the folder (ns), and its object's ETag."""

    made: int
    etag: str


class CheckpointStore:
    """The objects of one checkpoint.

    Every method raises ServiceUnavailable where the storage does not answer, DeploymentError where it refuses.
    """

    def __init__(self, url: str, storage: Storage):
        self.url = url.rstrip("/")
        self._storage = storage
        self._bucket, _, prefix = self.url.removeprefix("s3://").partition("/")
        self._prefix = f"{prefix}/"
        self._stored: dict[str, _Stored] = {}

    @cached_property
    def _client(self) -> Any:
        retries = {"total_max_attempts": 3}
        return client(self._storage, Config(connect_timeout=5, read_timeout=10, retries=retries))

    @cached_property
    def _lease(self) -> Lease:
        return Lease(self._client, self._bucket, self._prefix + LEASE)

    @contextmanager
    def held(self, folder: Path, patience: float) -> Iterator[None]:
        """Fetch the checkpoint, lock it, store it at the end.

        The folder becomes what is stored; other drivers are kept away.

        Raises CheckpointError if another driver is still there after `patience` seconds.
        """
        with self._lease.held(patience):
            self._fetch(folder)
            try:
                yield
            except BaseException:
                with suppress(DualsinkError):
                    self.push(folder)
                raise
            self.push(folder)

    def _fetch(self, folder: Path) -> None:
        for entry in folder.iterdir():
            if entry.name != LOCK:
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        self._stored = {}
        with answering(self.url):
            for name in self._names():
                file = folder / name
                file.parent.mkdir(parents=True, exist_ok=True)
                found = self._client.get_object(Bucket=self._bucket, Key=self._prefix + name)
                file.write_bytes(found["Body"].read())
                self._stored[name] = _Stored(file.stat().st_mtime_ns, found["ETag"])

    def push(self, folder: Path) -> None:
        """Store what is new in the folder, in its order.

        A file is only made where there is none, or put in the place of what this driver stored or fetched. Raises
        CheckpointError where another driver has taken the checkpoint over.
        """
        self.confirm()
        files = _files(folder)
        with answering(self.url):
            for name in sorted(files, key=lambda file: files[file]):
                known = self._stored.get(name)
                if known is None or known.made != files[name]:
                    etag = self._put(name, (folder / name).read_bytes(), known)
                    self._stored[name] = _Stored(files[name], etag)
            gone = sorted(self._stored.keys() - files.keys())
            self._delete(gone)
        for name in gone:
            del self._stored[name]

    def confirm(self) -> None:
        """Raise CheckpointError where another driver has taken the checkpoint over."""
        self._lease.check()

    def _put(self, name: str, body: bytes, known: "_Stored | None") -> str:
        condition = {"IfMatch": known.etag} if known else {"IfNoneMatch": "*"}
        place = {"Bucket": self._bucket, "Key": self._prefix + name}
        try:
            return self._client.put_object(**place, **condition, Body=body)["ETag"]
        except ClientError as error:
            if code(error) not in NOT_MET:
                raise
        # It may be ours, by a request whose answer was lost.
        found = self._client.get_object(**place)
        if found["Body"].read() == body:
            return found["ETag"]
        raise CheckpointError(f"{self.url}/{name} was written by another driver, which has taken the checkpoint over.")

    def remove(self) -> None:
        """Delete what is stored, but not the lease."""
        with answering(self.url):
            self._delete(self._names())
        self._stored = {}

    def _names(self) -> list[str]:
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self._prefix)
        names = [item["Key"].removeprefix(self._prefix) for page in pages for item in page.get("Contents", [])]
        return [name for name in names if name != LEASE]

    def _delete(self, names: list[str]) -> None:
        for start in range(0, len(names), _MOST_KEYS):
            keys = [{"Key": self._prefix + name} for name in names[start : start + _MOST_KEYS]]
            self._client.delete_objects(Bucket=self._bucket, Delete={"Objects": keys, "Quiet": True})


def _files(folder: Path) -> dict[str, int]:
    """Return when each file was made (ns), by path.

    In the folder; hidden ones and drafts are none.
    """
    found = (file for file in folder.rglob("*") if file.is_file() and file.suffix != ".tmp")
    paths = {file.relative_to(folder): file.stat().st_mtime_ns for file in found}
    return {str(path): made for path, made in paths.items() if not any(part.startswith(".") for part in path.parts)}
