"""Nessie's own interface: references, entries, commits by time."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import requests

from dualsink.errors import ServiceUnavailable
from dualsink.iceberg import security
from dualsink.iceberg.archive import Archive
from dualsink.iceberg.servers import Catalogue


@dataclass(frozen=True)
class Commit:
    """Commit of the catalogue; `time` is Nessie's, UTC, ISO 8601."""

    hash: str
    time: str
    author: str
    message: str


@dataclass(frozen=True)
class Nessie:
    """Nessie catalogue of one table.

    `key` is the table's (`database.table`).

    Every method raises ServiceUnavailable if Nessie does not answer, DeploymentError if it turns us away.
    """

    catalogue: Catalogue
    key: str

    @classmethod
    def of(cls, archive: Archive, table: str = "") -> "Nessie":
        """Return the catalogue of one of the archive's tables.

        The table has its full name; by default it is that of the events.
        """
        _, _, key = (table or archive.table).partition(".")
        return cls(archive.catalogue, key)

    @property
    def ref(self) -> str:
        """The branch."""
        return self.catalogue.ref

    def commit_at(self, moment: datetime) -> Commit | None:
        """Return the branch's head at a time, or None.

        It is None if the branch had no commit yet.
        """
        return self._newest({"filter": f"timestamp(commit.commitTime) <= timestamp('{moment.isoformat()}')"})

    def last_change(self, commit: Commit) -> Commit | None:
        """Return the last commit that changed the table.

        Only commits up to the given one count.
        """
        of_table = f"operations.exists(op, op.encodedKey == '{self.key}')"
        return self._newest({"fetch": "ALL", "filter": of_table}, commit.hash)

    def table(self, commit: str = "") -> dict[str, Any] | None:
        """Return the table's entry, None without a table.

        It has `metadataLocation` and `snapshotId`, as of a commit or of now.
        """
        answer = self._get(f"trees/{self._reference(commit)}/contents/{self.key}")
        return answer["content"] if answer else None

    def config(self) -> dict[str, Any]:
        """Return what the server says of itself."""
        return self._get("config") or {}

    def references(self) -> list[str]:
        """Return the names of all branches and tags."""
        answer = self._get("trees")
        if answer is None:
            raise ServiceUnavailable(f"The catalogue has no references at {self.catalogue.uri}: is it Nessie's API v2?")
        return [found["name"] for found in answer["references"]]

    def _newest(self, query: dict[str, Any], commit: str = "") -> Commit | None:
        answer = self._get(f"trees/{self._reference(commit)}/history", {"max-records": 1} | query)
        entries = answer["logEntries"] if answer else []
        return _commit(entries[0]["commitMeta"]) if entries else None

    def _reference(self, commit: str) -> str:
        return f"{self.ref}@{commit}" if commit else self.ref

    def _get(self, path: str, query: dict[str, Any] | None = None) -> dict[str, Any] | None:
        uri = self.catalogue.uri
        try:
            access = security.http(self.catalogue)
            answer = requests.get(f"{uri}/{path}", params=query, timeout=30, **access)
        except requests.RequestException as error:
            silent = ServiceUnavailable(f"The catalogue does not answer: {type(error).__name__} at {uri}.")
            raise security.catalogue_failure(self.catalogue) or silent from None
        if answer.status_code in (401, 403):
            raise security.refused(self.catalogue, answer)
        if answer.status_code == 404:
            return None
        if not answer.ok:
            raise ServiceUnavailable(f"The catalogue answered {answer.status_code} for {path}, at {uri}.")
        return answer.json()


def _commit(found: dict[str, Any]) -> Commit:
    return Commit(found["hash"], found["commitTime"], ", ".join(found.get("authors", [])), found["message"])
