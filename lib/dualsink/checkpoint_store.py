"""A checkpoint in object storage: Spark works in a folder of its own, and each step of it is stored before the next.

Spark's own way would be Hadoop's S3A, with an AWS SDK of half a gigabyte and renames that are none. A checkpoint is a
few small files a batch, of which Spark reads only the newest, and a stored one that is a step behind is safe: the
archive's markers tell a replayed batch (design.md section 4), see docs/decisions/checkpoint.md.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any

from botocore.config import Config

from dualsink import s3
from dualsink.errors import DualsinkError
from dualsink.lease import Lease
from dualsink.settings import Settings

LEASE, LOCK = "lease.json", ".lock"
"""What keeps drivers apart: an object of the stored checkpoint, a file of the folder."""
_MOST_KEYS = 1_000
"""S3's limit of keys in one deletion."""


class CheckpointStore:
    """The objects of one checkpoint.

    Every method raises ServiceUnavailable where the storage does not answer, DeploymentError where it refuses.
    """

    def __init__(self, settings: Settings):
        self.url = settings.checkpoint_url.rstrip("/")
        self._settings = settings
        self._bucket, _, prefix = self.url.removeprefix("s3://").partition("/")
        self._prefix = f"{prefix}/"
        self._stored: dict[str, int] = {}

    @cached_property
    def _client(self) -> Any:
        return s3.client(self._settings, Config(connect_timeout=5, read_timeout=10, retries={"total_max_attempts": 3}))

    @cached_property
    def _lease(self) -> Lease:
        return Lease(self._client, self._bucket, self._prefix + LEASE)

    @contextmanager
    def held(self, folder: Path, patience: float) -> Iterator[None]:
        """Make the folder what is stored, keep other drivers away, and store what the folder has at the end.

        Raises CheckpointError where another driver is still there after `patience` seconds.
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
        with s3.answering(self.url):
            for name in self._names():
                file = folder / name
                file.parent.mkdir(parents=True, exist_ok=True)
                found = self._client.get_object(Bucket=self._bucket, Key=self._prefix + name)
                file.write_bytes(found["Body"].read())
        self._stored = _files(folder)

    def push(self, folder: Path) -> None:
        """Store what is new in the folder, in the order in which it was made, and forget what Spark has deleted.

        Raises CheckpointError where another driver has taken the checkpoint over.
        """
        self._lease.check()
        files = _files(folder)
        with s3.answering(self.url):
            for name in sorted(files, key=files.get):
                if files[name] != self._stored.get(name):
                    body = (folder / name).read_bytes()
                    self._client.put_object(Bucket=self._bucket, Key=self._prefix + name, Body=body)
            self._delete(sorted(self._stored.keys() - files.keys()))
        self._stored = files

    def remove(self) -> None:
        """Delete what is stored, but not the lease."""
        with s3.answering(self.url):
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
    """When each file was made (ns), by its path in the folder; hidden ones and drafts are none."""
    found = (file for file in folder.rglob("*") if file.is_file() and file.suffix != ".tmp")
    paths = {file.relative_to(folder): file.stat().st_mtime_ns for file in found}
    return {str(path): made for path, made in paths.items() if not any(part.startswith(".") for part in path.parts)}
