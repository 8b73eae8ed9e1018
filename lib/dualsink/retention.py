"""Retention of the hot tier by event day: which day is merged, which is deleted, which stays and why.

One policy, from `hot_days`, `hot_merge_days` and `hot_read_only`. Where the cluster has ISM, `ism` writes the ageing
part of it down there; deleting is always done here, because only the ledger's proof allows it. Rehydrated days are
copies that nothing rests on: they go when they expire.
"""

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any, Literal

from opensearchpy import OpenSearch

from dualsink import search
from dualsink.proof import DayProof
from dualsink.settings import Settings

Prove = Callable[[Mapping[date, str]], Mapping[date, DayProof]]


@dataclass(frozen=True)
class Step:
    """What retention does with one day index, and why. `size` is its primary shards' bytes."""

    day: date
    index: str
    documents: int
    size: int
    action: Literal["keep", "merge", "delete"]
    reason: str

    def __str__(self) -> str:
        size = f"{self.documents:,} documents, {self.size / 1e6:,.1f} MB"
        return f"{self.action:6} {self.index} ({size}): {self.reason}"

    def as_dict(self) -> dict[str, Any]:
        """The step as JSON types."""
        return {"day": self.day.isoformat(), "index": self.index, "action": self.action, "reason": self.reason}


def plan(client: OpenSearch, settings: Settings, prove: Prove, today: date | None = None) -> list[Step]:
    """One step for every day index, oldest first, then for every rehydrated one; nothing is changed.

    A day is expired when it lies more than `hot_days` days before today (UTC), closed when more than `hot_merge_days`.
    `prove` is asked for the expired days alone, and only where there are some; whatever keeps it from answering keeps
    those days.
    """
    search.refresh(client, settings.opensearch_index)
    today = today or datetime.now(UTC).date()
    indices = search.day_indices(client, settings.opensearch_index)
    expired = {day: name for day, name in indices.items() if (today - day).days > settings.hot_days}
    proofs, trouble = _proofs(prove, expired)
    stats = search.day_stats(client, settings.opensearch_index)
    steps = [
        _expired(day, stats[name], proofs.get(day), trouble)
        if day in expired
        else _living(day, stats[name], settings, (today - day).days)
        for day, name in indices.items()
        if name in stats
    ]
    return steps + _rehydrated(client, settings, indices.keys() - expired.keys())


def _proofs(prove: Prove, expired: Mapping[date, str]) -> tuple[Mapping[date, DayProof], str]:
    """The proofs, or none and what went wrong: an archive that does not answer proves nothing."""
    try:
        return (prove(expired) if expired else {}), ""
    except Exception as error:
        return {}, f"{type(error).__name__}: {str(error).strip().splitlines()[0]}"


def _expired(day: date, found: search.DayStats, proof: DayProof | None, trouble: str) -> Step:
    step = Step(day, found.index, found.documents, found.bytes, "keep", f"no proof was to be had: {trouble}")
    if proof is None:
        return step
    if proof.holds and proof.documents != found.documents:
        return replace(step, reason="it changed while it was compared: the next run decides")
    return replace(step, action="delete" if proof.holds else "keep", reason=str(proof))


def _living(day: date, found: search.DayStats, settings: Settings, age: int) -> Step:
    step = Step(day, found.index, found.documents, found.bytes, "keep", f"in the hot window, {age} days old")
    if age <= settings.hot_merge_days:
        return step
    open_still = settings.hot_read_only and not found.read_only
    if found.segments <= found.shards and not open_still:
        return replace(step, reason=f"{step.reason}, merged")
    wanted = "to be closed for writing and merged" if open_still else "to be merged"
    return replace(step, action="merge", reason=f"{step.reason}, {found.segments} segments {wanted}")


def _rehydrated(client: OpenSearch, settings: Settings, hot: Set[date]) -> list[Step]:
    """One step for every rehydrated day. `hot` are the days that the hot tier itself holds."""
    names = search.day_indices(client, settings.rehydrated_prefix)
    stats = search.day_stats(client, settings.rehydrated_prefix)
    return [
        _copy(day, stats[names[day]], expiry, day in hot)
        for day, expiry in search.expiries(client, settings).items()
        if names[day] in stats
    ]


def _copy(day: date, found: search.DayStats, expiry: datetime | None, in_hot_tier: bool) -> Step:
    step = Step(day, found.index, found.documents, found.bytes, "keep", "rehydrated, and does not say until when")
    if in_hot_tier:
        return replace(step, action="delete", reason="rehydrated, and the hot tier holds this day itself")
    if expiry is None:
        return step
    due = expiry <= datetime.now(UTC)
    moment = f"{expiry:%Y-%m-%d %H:%M} UTC"
    told = f"rehydrated, expired on {moment}" if due else f"rehydrated until {moment}"
    return replace(step, action="delete" if due else "keep", reason=told)


def carry_out(client: OpenSearch, settings: Settings, steps: list[Step], merges: bool = True) -> list[Step]:
    """Do what the plan says, and return what was done. `merges` is off where ISM merges.

    An index that has got documents since it was proven is kept for the next run.
    """
    return [_do(client, settings, step, merges) for step in steps]


def _do(client: OpenSearch, settings: Settings, step: Step, merges: bool) -> Step:
    if step.action == "merge" and not merges:
        return replace(step, action="keep", reason=f"{step.reason} by ISM")
    if step.action == "merge":
        _merge(client, step.index, settings.hot_read_only)
    elif step.action == "delete":
        search.refresh(client, settings.opensearch_index)
        if client.count(index=step.index)["count"] != step.documents:
            return replace(step, action="keep", reason="it got more documents: the next run decides")
        client.indices.delete(index=step.index)
    return step


def _merge(client: OpenSearch, index: str, read_only: bool) -> None:
    if read_only:
        client.indices.put_settings(index=index, body={"index.blocks.write": True})
    client.indices.forcemerge(index=index, params={"max_num_segments": 1})
    client.indices.refresh(index=index)  # Else the segments that were merged are still counted.
