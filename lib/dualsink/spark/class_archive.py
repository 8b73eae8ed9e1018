"""Class archives, which halve the start of a JVM.

This is application class-data sharing. An archive is made by a JVM as it ends, once per Java and class path, and is
kept in the cache beside the jars. The JVM compares it with its class path; it passes over one that does not fit, or is
damaged, without a word.
"""

import hashlib
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from dualsink.spark.jars import cache_folder
from dualsink.spark.java import Java

_QUIET = "-Xlog:cds*=off"


class Classes:
    """Classes that a program loads from jars on a Java."""

    def __init__(self, program: str, java: Java, jars: Iterable[Path]):
        self._file = cache_folder() / "classes" / f"{program}-{_key(java, jars)}.jsa"
        self._draft = self._file.with_suffix(".draft")

    def options(self, record: bool) -> list[str]:
        """Return the JVM options that use or record the archive.

        Without an archive, and with `record`, the JVM makes it when it ends.
        """
        if _is_whole(self._draft):
            with suppress(FileNotFoundError):  # another process was faster
                self._draft.replace(self._file)
        if self._file.is_file():
            return [f"-XX:SharedArchiveFile={self._file}", _QUIET]
        if not record:
            return []
        self._file.parent.mkdir(parents=True, exist_ok=True)
        return [f"-XX:ArchiveClassesAtExit={self._draft}", _QUIET]


def _key(java: Java, jars: Iterable[Path]) -> str:
    """Hash what the JVM compares.

    That is itself, and every jar's path, size and time.
    """
    parts = [f"{java.executable} {java.full_version}"]
    parts += [f"{jar} {(about := jar.stat()).st_size} {about.st_mtime_ns}" for jar in jars]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def _is_whole(draft: Path) -> bool:
    """Return whether the JVM that made it finished.

    It writes the head of the file last.
    """
    try:
        with draft.open("rb") as file:
            return any(file.read(4))
    except FileNotFoundError:
        return False
