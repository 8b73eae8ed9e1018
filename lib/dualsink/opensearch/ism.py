"""Index State Management (ISM): policy installed, attached, explained.

The policy moves a day index from `hot` to `sealed` and to `expired`; `sealed` closes the day with `hot_read_only` and
does nothing without: a state that some index is in must never leave the policy, or ISM ends on it. It never deletes:
ISM knows an index's age and nothing of the ledger, so `retention` deletes an expired day, once it is proven.
ISM's `force_merge` blocks writes to the index and leaves it blocked, so it belongs to `sealed` alone. Both decisions:
docs/decisions/0002-retention.md.
Rehydrated days are copies of archived ones: a second policy, of a higher priority, deletes them by their age.
"""

from typing import Any

from opensearchpy import OpenSearch
from opensearchpy.exceptions import AuthorizationException, NotFoundError, RequestError

from dualsink.errors import DeploymentError
from dualsink.opensearch import index as indices
from dualsink.opensearch.hot_tier import HotTier

ABSENT = "no ISM here: `retention` deletes whole days"
# ISM was quicker than this command: it attached the index by the template, or is moving it to its next state now.
_PASSING = ("already has a policy", "while transitioning")


def is_there(client: OpenSearch) -> bool:
    """Return whether the cluster has the index-management plugin."""
    return any(p["component"] == "opensearch-index-management" for p in client.cat.plugins(params={"format": "json"}))


def policy_id(hot: HotTier) -> str:
    """Name of the policy."""
    return f"{hot.alias}-retention"


def policy_body(hot: HotTier) -> dict[str, Any]:
    """Return the policy of the hot tier's days.

    ISM counts from an index's creation, which begins its day: hence one day more.
    """
    expired, sealed = f"{hot.days + 1}d", f"{hot.merge_days + 1}d"
    merge: dict[str, Any] = {"force_merge": {"max_num_segments": 1}}
    closing = [{"read_only": {}}, merge] if hot.read_only else []
    return {
        "policy": {
            "description": f"dualsink: {hot.alias} is hot for {hot.days} days, "
            "then `dualsink retention` deletes each day that its ledger has proven",
            "default_state": "hot",
            "states": [
                _state("hot", [], "sealed", sealed),
                _state("sealed", closing, "expired", expired),
                {"name": "expired", "actions": [], "transitions": []},
            ],
            "ism_template": [{"index_patterns": [f"{hot.alias}-*"], "priority": 100}],
        }
    }


def rehydrated_policy_id(hot: HotTier) -> str:
    """Name of the policy of rehydrated days."""
    return f"{hot.rehydrated}-retention"


def rehydrated_policy_body(hot: HotTier) -> dict[str, Any]:
    """Return the policy of rehydrated days.

    They are deleted `rehydrated_days` after their creation, as their indices say.
    """
    return {
        "policy": {
            "description": f"dualsink: days that came back from the archive stay {hot.rehydrated_days} days",
            "default_state": "rehydrated",
            "states": [
                _state("rehydrated", [], "expired", f"{hot.rehydrated_days}d"),
                {"name": "expired", "actions": [{"delete": {}}], "transitions": []},
            ],
            "ism_template": [{"index_patterns": [f"{hot.rehydrated}-*"], "priority": 200}],
        }
    }


def _policies(hot: HotTier) -> list[tuple[str, str, dict[str, Any]]]:
    """Return every policy with its index prefix and body."""
    return [
        (hot.alias, policy_id(hot), policy_body(hot)),
        (hot.rehydrated, rehydrated_policy_id(hot), rehydrated_policy_body(hot)),
    ]


def _state(name: str, actions: list[dict[str, Any]], following: str, age: str) -> dict[str, Any]:
    transition = {"state_name": following, "conditions": {"min_index_age": age}}
    return {"name": name, "actions": actions, "transitions": [transition]}


# -- installing --------------------------------------------------------------------------------------


def ensure_policy(client: OpenSearch, hot: HotTier) -> str:
    """Install both policies and attach every index to its own.

    Returns `created`, `updated`, `exists`, or says that the cluster has no ISM. A policy over an existing one needs
    its sequence numbers; `ism_template` reaches only indices that are created later; a managed index keeps the version
    that it was attached with until its policy is changed. Raises DeploymentError if ISM refuses an index.
    """
    if not is_there(client):
        return ABSENT
    states = {_ensure(client, *policy) for policy in _policies(hot)}
    return states.pop() if len(states) == 1 else "updated"


def _ensure(client: OpenSearch, prefix: str, policy: str, body: dict[str, Any]) -> str:
    state, version = _install(client, policy, body)
    for index in _explain(client, prefix):
        if index["policy_id"] is None:
            _attach(client, index["index"], policy)
        elif index["policy_id"] == policy and index["disabled"]:
            # `retry` and `change_policy` answer "updated" for it and do nothing.
            client.plugins.index_management.remove_policy_from_index(index["index"])
            _attach(client, index["index"], policy)
        elif index["policy_id"] == policy and index["enabled"] and index["version"] not in (None, version):
            _renew(client, index["index"], policy)
    return state


def _install(client: OpenSearch, policy: str, wanted: dict[str, Any]) -> tuple[str, int]:
    """Install a policy; return what was done and its number.

    The number is the sequence number that the policy has now.
    """
    try:
        found = client.plugins.index_management.get_policy(policy)
    except NotFoundError:
        return "created", _put(client, policy, wanted)
    if _contains(found["policy"], wanted["policy"]):
        return "exists", found["_seq_no"]
    numbers = {"if_seq_no": found["_seq_no"], "if_primary_term": found["_primary_term"]}
    return "updated", _put(client, policy, wanted, **numbers)


def _put(client: OpenSearch, policy: str, body: dict[str, Any], **numbers: int) -> int:
    try:
        return client.plugins.index_management.put_policy(policy, body=body, params=numbers)["_seq_no"]
    except (RequestError, AuthorizationException) as error:
        raise DeploymentError(f"ISM refuses the policy {policy}: {error}. Nothing was changed.") from None


def _contains(found: Any, wanted: Any) -> bool:
    """Return whether `found` contains every value of `wanted`.

    The server adds defaults to what was sent.
    """
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(k in found and _contains(found[k], v) for k, v in wanted.items())
    if isinstance(wanted, list):
        return (
            isinstance(found, list)
            and len(found) == len(wanted)
            and all(_contains(f, w) for f, w in zip(found, wanted, strict=True))
        )
    return found == wanted


def _attach(client: OpenSearch, index: str, policy: str) -> None:
    """Attach a policy to an index."""
    answer = client.plugins.index_management.add_policy(index, body={"policy_id": policy})
    _check(answer, f"add {policy} on", index)


def _renew(client: OpenSearch, index: str, policy: str) -> None:
    """Change an index to its policy's newest version."""
    answer = client.plugins.index_management.change_policy(index, body={"policy_id": policy})
    _check(answer, f"change policy {policy} on", index)


def _check(answer: dict[str, Any], deed: str, index: str) -> None:
    """Raise DeploymentError for what ISM refused.

    An index that vanished meanwhile needs nothing.
    """
    reasons = "; ".join(failed["reason"] for failed in answer.get("failed_indices", []))
    if reasons and not any(passing in reasons for passing in _PASSING):
        raise DeploymentError(
            f"ISM refuses to {deed} {index}: {reasons}. "
            f"Look at `GET /_plugins/_ism/explain/{index}`, then run `retention` again."
        )


def drop_policy(client: OpenSearch, hot: HotTier) -> bool:
    """Delete the policies; False if there is none."""
    if not is_there(client):
        return False
    return any([_drop(client, policy) for _, policy, _ in _policies(hot)])


def _drop(client: OpenSearch, policy: str) -> bool:
    try:
        client.plugins.index_management.delete_policy(policy)
    except NotFoundError:
        return False
    return True


# -- explaining --------------------------------------------------------------------------------------


def explain(client: OpenSearch, hot: HotTier) -> list[dict[str, Any]]:
    """Return ISM's state of each day index, oldest first.

    The rehydrated ones follow. Keys: index, policy_id (None if unmanaged), version (the policy's sequence number, None
    before the first tick), enabled, disabled (ISM has given the index up, its policy not completed), state, message. An
    index that is deleted while it is asked for is left out.
    """
    return [index for prefix, _, _ in _policies(hot) for index in _explain(client, prefix)]


def _explain(client: OpenSearch, prefix: str) -> list[dict[str, Any]]:
    names = indices.day_indices(client, prefix).values()
    answers = {name: _explained(client, name) for name in names}
    return [{"index": name, **_summary(answer)} for name, answer in answers.items() if answer is not None]


def _explained(client: OpenSearch, name: str) -> dict[str, Any] | None:
    """Return ISM's answer for one index.

    For a missing index it is 400, not 404.
    """
    try:
        return client.plugins.index_management.explain_index(name)[name]
    except (RequestError, NotFoundError, KeyError):
        if client.indices.exists(index=name):
            raise
        return None


def _summary(answer: dict[str, Any]) -> dict[str, Any]:
    policy = answer.get("policy_id") or answer.get("index.plugins.index_state_management.policy_id")
    return {
        "policy_id": policy,
        "version": answer.get("policy_seq_no"),
        "enabled": bool(answer.get("enabled")),
        "disabled": _is_disabled(answer),
        "state": _state_of(answer) if policy else "unmanaged",
        "message": _message_of(answer),
    }


def _is_disabled(answer: dict[str, Any]) -> bool:
    return answer.get("enabled") is False and not answer.get("policy_completed")


def has_failed(index: dict[str, Any]) -> bool:
    """Return whether an index of `explain` needs a person.

    A failed step, or a job that ISM has ended.
    """
    return index["disabled"] or index["state"].endswith("(failed)")


def _state_of(answer: dict[str, Any]) -> str:
    """Return the state of a managed index.

    A finished policy has none any more, an index in transition only the one it goes to.
    """
    if answer.get("policy_completed"):
        return "completed"
    if answer.get("transition_to"):
        return f"to {answer['transition_to']}"
    state = (answer.get("state") or {}).get("name", "not started")
    if (answer.get("step") or {}).get("step_status") == "failed":
        return f"{state} (failed)"
    return f"{state} (ended by ISM)" if _is_disabled(answer) else state


def _message_of(answer: dict[str, Any]) -> str:
    info = answer.get("info") or {}
    return info.get("message", "") + (f" ({info['cause']})" if info.get("cause") else "")
