"""Retention of the hot tier by event day.

Which day is merged, which is deleted, which stays, and why.

One policy, from `hot_days`, `hot_merge_days` and `hot_read_only`. Where the cluster has ISM, `ism` writes the ageing
part of it down there; deleting is always done here, because only the ledger's proof allows it. Rehydrated days are
copies that nothing rests on: they go when they expire.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any

from opensearchpy import OpenSearch

from dualsink import words
from dualsink.errors import DeploymentError
from dualsink.ledger.proof import DayProof
from dualsink.opensearch import index as hot_index
from dualsink.opensearch import ism, reader
from dualsink.opensearch.hot_tier import HotTier
from dualsink.opensearch.reader import Stats
from dualsink.operations import plan as plan_of

Prove = Callable[[Mapping[date, str]], Mapping[date, DayProof]]


@dataclass(frozen=True)
class Step(plan_of.Step):
    """Step for one day index: `keep`, `merge` or `delete`.

    `size` is its primary shards' bytes.
    """

    day: date
    index: str
    documents: int
    size: int

    @property
    def target(self) -> str:
        """Index, documents and bytes."""
        return f"{self.index} ({words.count(self.documents, 'document')}, {words.size(self.size)})"

    def about(self) -> dict[str, Any]:
        """Return day and index as JSON types."""
        return {"day": self.day.isoformat(), "index": self.index}


@dataclass(frozen=True)
class Retention(plan_of.Result):
    """Result of retention: steps, and ISM's state of each index.

    With `dry_run` the steps are planned only.
    """

    dry_run: bool
    steps: list[Step]
    states: list[dict[str, Any]]
    ensured: dict[str, str]

    @property
    def fact(self) -> str:
        """Days deleted, merged and kept."""
        counts = Counter(step.verb for step in self.steps)
        fact = f"{words.count(counts['delete'], 'day')} deleted, {counts['merge']} merged, {counts['keep']} kept"
        return plan_of.unless_planned(fact, self.dry_run)

    def lines(self) -> list[str]:
        """Return policy and template, ISM's states, then the steps."""
        ensured = [f"{name}: {state}" for name, state in self.ensured.items()]
        states = ["ISM       {index}: {state}, policy {policy_id}. {message}".format(**state) for state in self.states]
        return ensured + states + [str(step) for step in self.steps]

    def as_dict(self) -> dict[str, Any]:
        """Return steps and states as JSON types."""
        return {"dry_run": self.dry_run, "days": [step.as_dict() for step in self.steps], "ism": self.states}

    def check(self) -> None:
        """Raise DeploymentError naming days that ISM fails on.

        Or that it has ended.
        """
        if failed := [state["index"] for state in self.states if ism.has_failed(state)]:
            raise DeploymentError(
                f"ISM does not manage {', '.join(failed)}: see the lines above ({self.fact}). What it has ended is "
                "attached again by `retention` without --dry-run; what fails needs its cause removed."
            )


def run(client: OpenSearch, hot: HotTier, prove: Prove, dry_run: bool = False) -> Retention:
    """Age the hot tier by the policy.

    The policy is installed if there is ISM, closed days are merged, proven expired ones deleted.

    A dry run changes nothing, neither policy nor template.
    """
    managed, ensured = ism.is_there(client), {}
    if not dry_run:
        ensured = {"policy": ism.ensure_policy(client, hot), "template": hot_index.put_template(client, hot)}
    steps = plan(client, hot, prove)
    if not dry_run:
        steps = list(execute(client, hot, steps))
    return Retention(dry_run, steps, ism.explain(client, hot) if managed else [], ensured)


def plan(client: OpenSearch, hot: HotTier, prove: Prove, today: date | None = None) -> list[Step]:
    """Plan one step for every index, without changing any.

    Day indices come first, oldest first, then rehydrated ones. A day is expired when it is more than `hot_days` days
    before today (UTC), closed when more than `hot_merge_days`. `prove` is asked for the expired days alone, and only if
    there are some; whatever keeps it from answering keeps those days.
    """
    hot_index.refresh(client, hot.alias)
    today = today or datetime.now(UTC).date()
    indices = hot_index.day_indices(client, hot.alias)
    expired = {day: name for day, name in indices.items() if (today - day).days > hot.days}
    stats = hot_index.day_stats(client, hot.alias)
    whole = {day: name for day, name in expired.items() if name in stats and not stats[name].lost}
    proofs, trouble = _proofs(prove, whole)
    steps = [
        _expired(day, stats[name], proofs.get(day), trouble)
        if day in expired
        else _living(day, stats[name], hot, (today - day).days)
        for day, name in indices.items()
        if name in stats
    ]
    return steps + _rehydrated(client, hot, indices.keys() - expired.keys())


def _proofs(prove: Prove, expired: Mapping[date, str]) -> tuple[Mapping[date, DayProof], str]:
    """Return the proofs, or none and the failure.

    An archive that does not answer proves nothing.
    """
    try:
        return (prove(expired) if expired else {}), ""
    except Exception as error:
        return {}, f"{type(error).__name__}: {str(error).strip().splitlines()[0]}"


def _expired(day: date, found: Stats, proof: DayProof | None, trouble: str) -> Step:
    step = Step(day, found.index, found.documents, found.bytes, reason=f"no proof: {trouble}")
    if found.lost:
        return replace(step, reason=f"it has lost {found.lost} of {found.shards} shards: of a part nothing is proven")
    if proof is None:
        return step
    if proof.holds and proof.documents != found.documents:
        return replace(step, reason="it changed while it was compared: the next run decides")
    return replace(step, verb="delete" if proof.holds else "keep", reason=str(proof))


def _living(day: date, found: Stats, hot: HotTier, age: int) -> Step:
    step = Step(
        day, found.index, found.documents, found.bytes, reason=f"in the hot window, {words.count(age, 'day')} old"
    )
    if age <= hot.merge_days:
        return step
    open_still = hot.read_only and not found.read_only
    if found.segments <= found.shards and not open_still:
        return replace(step, reason=f"{step.reason}, merged")
    wanted = "to be closed for writing and merged" if open_still else "to be merged"
    return replace(step, verb="merge", reason=f"{step.reason}, {found.segments} segments {wanted}")


def _rehydrated(client: OpenSearch, hot: HotTier, held: Set[date]) -> list[Step]:
    """Plan one step for every rehydrated day.

    `held` are the days that the hot tier itself holds.
    """
    names = hot_index.day_indices(client, hot.rehydrated)
    stats = hot_index.day_stats(client, hot.rehydrated)
    return [
        _copy(day, stats[names[day]], expiry, day in held)
        for day, expiry in hot_index.expiries(client, hot).items()
        if names[day] in stats
    ]


def _copy(day: date, found: Stats, expiry: datetime | None, in_hot_tier: bool) -> Step:
    step = Step(day, found.index, found.documents, found.bytes, reason="rehydrated, and does not say until when")
    if in_hot_tier:
        return replace(step, verb="delete", reason="rehydrated, and the hot tier holds this day itself")
    if expiry is None:
        return step
    due = expiry <= datetime.now(UTC)
    moment = f"{expiry:%Y-%m-%d %H:%M} UTC"
    reason = f"rehydrated, expired on {moment}" if due else f"rehydrated until {moment}"
    return replace(step, verb="delete" if due else "keep", reason=reason)


def execute(client: OpenSearch, hot: HotTier, steps: list[Step]) -> Iterator[Step]:
    """Execute the plan and yield each step as done.

    Days are merged and closed here on every cluster: ISM does it once for each day, and not again for a day that a late
    event has opened. An index that has got documents since it was proven is kept for the next run.
    """
    for step in steps:
        yield _do(client, hot, step)


def _do(client: OpenSearch, hot: HotTier, step: Step) -> Step:
    if step.verb == "merge":
        _merge(client, step.index, hot.read_only)
    elif step.verb == "delete":
        hot_index.refresh(client, hot.alias)
        if reader.count(client, step.index) != step.documents:
            return replace(step, verb="keep", reason="it got more documents: the next run decides")
        client.indices.delete(index=step.index)
    return step


def _merge(client: OpenSearch, index: str, read_only: bool) -> None:
    if read_only:
        client.indices.put_settings(index=index, body={"index.blocks.write": True})
    client.indices.forcemerge(index=index, params={"max_num_segments": 1})
    client.indices.refresh(index=index)  # Else the segments that were merged are still counted.
