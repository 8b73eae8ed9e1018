"""What Nessie's own interface is asked for: references, the archive's entry, the commit of a time."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import requests

from dualsink.errors import ServiceUnavailable
from dualsink.settings import Settings


@dataclass(frozen=True)
class Commit:
    """A commit of the catalogue; `time` is Nessie's own, UTC, ISO 8601."""

    hash: str
    time: str
    author: str
    message: str


def commit_at(settings: Settings, moment: datetime) -> Commit | None:
    """The commit at the head of the branch at a time; None where the branch had none yet.

    Raises ServiceUnavailable where Nessie does not answer.
    """
    return _newest(settings, {"filter": f"timestamp(commit.commitTime) <= timestamp('{moment.isoformat()}')"})


def last_change(settings: Settings, commit: Commit) -> Commit | None:
    """The commit that had changed the archive table last, as seen from a commit."""
    of_table = f"operations.exists(op, op.encodedKey == '{_key(settings)}')"
    return _newest(settings, {"fetch": "ALL", "filter": of_table}, commit.hash)


def archive(settings: Settings, commit: str = "") -> dict[str, Any] | None:
    """The archive table's entry, with `metadataLocation` and `snapshotId`, at a commit or now; None without a table.

    Raises ServiceUnavailable where Nessie does not answer.
    """
    answer = _get(settings, f"trees/{_reference(settings, commit)}/contents/{_key(settings)}")
    return answer["content"] if answer else None


def references(settings: Settings) -> list[str]:
    """Names of all branches and tags. Raises ServiceUnavailable where Nessie does not answer, or knows none."""
    answer = _get(settings, "trees")
    if answer is None:
        raise ServiceUnavailable(f"The catalogue has no references at {settings.nessie_uri}: is it Nessie's API v2?")
    return [found["name"] for found in answer["references"]]


def _key(settings: Settings) -> str:
    return f"{settings.database_name}.{settings.iceberg_table}"


def _newest(settings: Settings, query: dict[str, Any], commit: str = "") -> Commit | None:
    answer = _get(settings, f"trees/{_reference(settings, commit)}/history", {"max-records": 1} | query)
    entries = answer["logEntries"] if answer else []
    return _commit(entries[0]["commitMeta"]) if entries else None


def _commit(found: dict[str, Any]) -> Commit:
    return Commit(found["hash"], found["commitTime"], ", ".join(found.get("authors", [])), found["message"])


def _reference(settings: Settings, commit: str) -> str:
    return f"{settings.nessie_ref}@{commit}" if commit else settings.nessie_ref


def _get(settings: Settings, path: str, query: dict[str, Any] | None = None) -> dict[str, Any] | None:
    try:
        answer = requests.get(f"{settings.nessie_uri}/{path}", params=query, timeout=30)
    except requests.RequestException as error:
        raise ServiceUnavailable(
            f"The catalogue does not answer: {type(error).__name__} at {settings.nessie_uri}."
        ) from None
    if answer.status_code == 404:
        return None
    if not answer.ok:
        raise ServiceUnavailable(f"The catalogue answered {answer.status_code} for {path}, at {settings.nessie_uri}.")
    return answer.json()
