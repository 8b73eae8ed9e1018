"""Index State Management (ISM), OpenSearch's own retention: its policy installed, attached, explained.

The policy moves a day index from `hot` to `sealed` (only with `hot_read_only`) and to `expired`. It never deletes:
ISM knows an index's age and nothing of the ledger, so `retention` deletes an expired day, once it is proven.
ISM's `force_merge` blocks writes to the index and leaves it blocked, so it belongs to `sealed` alone. Both decisions:
docs/decisions/retention.md.
Rehydrated days are copies of archived ones: a second policy, of a higher priority, deletes them by their age.
"""

from typing import Any

from opensearchpy import OpenSearch
from opensearchpy.exceptions import AuthorizationException, NotFoundError, RequestError

from dualsink import search
from dualsink.errors import DeploymentError
from dualsink.settings import Settings

ABSENT = "no ISM here: `python -m dualsink retention` deletes whole days"
_ROOT = "/_plugins/_ism"
# ISM was quicker than this command: it attached the index by the template, or is moving it to its next state now.
_PASSING = ("already has a policy", "while transitioning")


def is_there(client: OpenSearch) -> bool:
    """Whether the cluster has the index-management plugin."""
    return any(p["component"] == "opensearch-index-management" for p in client.cat.plugins(params={"format": "json"}))


def policy_id(settings: Settings) -> str:
    """Name of the policy."""
    return f"{settings.opensearch_index}-retention"


def policy_body(settings: Settings) -> dict[str, Any]:
    """The policy for these settings. ISM counts from an index's creation, which begins its day: hence one day more."""
    expired, sealed = f"{settings.hot_days + 1}d", f"{settings.hot_merge_days + 1}d"
    closing = [_state("sealed", [{"read_only": {}}, {"force_merge": {"max_num_segments": 1}}], "expired", expired)]
    first = ("sealed", sealed) if settings.hot_read_only else ("expired", expired)
    return {
        "policy": {
            "description": f"dualsink: {settings.opensearch_index} is hot for {settings.hot_days} days, "
            "then `dualsink retention` deletes each day that its ledger has proven",
            "default_state": "hot",
            "states": [
                _state("hot", [], *first),
                *(closing if settings.hot_read_only else []),
                {"name": "expired", "actions": [], "transitions": []},
            ],
            "ism_template": [{"index_patterns": [f"{settings.opensearch_index}-*"], "priority": 100}],
        }
    }


def rehydrated_policy_id(settings: Settings) -> str:
    """Name of the policy of rehydrated days."""
    return f"{settings.rehydrated_prefix}-retention"


def rehydrated_policy_body(settings: Settings) -> dict[str, Any]:
    """The policy of rehydrated days: deleted `rehydrated_days` after their creation, as their indices say."""
    return {
        "policy": {
            "description": f"dualsink: days that came back from the archive stay {settings.rehydrated_days} days",
            "default_state": "rehydrated",
            "states": [
                _state("rehydrated", [], "expired", f"{settings.rehydrated_days}d"),
                {"name": "expired", "actions": [{"delete": {}}], "transitions": []},
            ],
            "ism_template": [{"index_patterns": [f"{settings.rehydrated_prefix}-*"], "priority": 200}],
        }
    }


def _policies(settings: Settings) -> list[tuple[str, str, dict[str, Any]]]:
    """Every policy: what its indices' names begin with, its name, its body."""
    return [
        (settings.opensearch_index, policy_id(settings), policy_body(settings)),
        (settings.rehydrated_prefix, rehydrated_policy_id(settings), rehydrated_policy_body(settings)),
    ]


def _state(name: str, actions: list[dict[str, Any]], following: str, age: str) -> dict[str, Any]:
    transition = {"state_name": following, "conditions": {"min_index_age": age}}
    return {"name": name, "actions": actions, "transitions": [transition]}


# -- installing --------------------------------------------------------------------------------------


def ensure_policy(client: OpenSearch, settings: Settings) -> str:
    """Install or update both policies and bring every day index under its own.

    Returns `created`, `updated`, `exists`, or says that the cluster has no ISM. A policy over an existing one needs
    its sequence numbers; `ism_template` reaches only indices that are created later; a managed index keeps the version
    that it was attached with until its policy is changed. Raises DeploymentError where ISM refuses an index.
    """
    if not is_there(client):
        return ABSENT
    states = {_ensure(client, *policy) for policy in _policies(settings)}
    return states.pop() if len(states) == 1 else "updated"


def _ensure(client: OpenSearch, prefix: str, policy: str, body: dict[str, Any]) -> str:
    state, version = _install(client, f"{_ROOT}/policies/{policy}", body)
    for index in _explain(client, prefix):
        if index["policy_id"] is None:
            _order(client, "add", index["index"], policy)
        elif index["policy_id"] == policy and index["enabled"] and index["version"] not in (None, version):
            _order(client, "change_policy", index["index"], policy)
    return state


def _install(client: OpenSearch, path: str, wanted: dict[str, Any]) -> tuple[str, int]:
    """What was done, and the sequence number that the policy has now."""
    try:
        found = client.transport.perform_request("GET", path)
    except NotFoundError:
        return "created", _put(client, path, wanted)
    if _contains(found["policy"], wanted["policy"]):
        return "exists", found["_seq_no"]
    numbers = {"if_seq_no": found["_seq_no"], "if_primary_term": found["_primary_term"]}
    return "updated", _put(client, path, wanted, **numbers)


def _put(client: OpenSearch, path: str, policy: dict[str, Any], **numbers: int) -> int:
    try:
        return client.transport.perform_request("PUT", path, params=numbers, body=policy)["_seq_no"]
    except (RequestError, AuthorizationException) as error:
        raise DeploymentError(
            f"ISM refuses the policy {path.rsplit('/', 1)[1]}: {error}. Nothing was changed."
        ) from None


def _contains(found: Any, wanted: Any) -> bool:
    """Whether every value of `wanted` stands in `found`, which a server fills up with defaults."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(k in found and _contains(found[k], v) for k, v in wanted.items())
    if isinstance(wanted, list):
        return (
            isinstance(found, list)
            and len(found) == len(wanted)
            and all(_contains(f, w) for f, w in zip(found, wanted, strict=True))
        )
    return found == wanted


def _order(client: OpenSearch, what: str, index: str, policy: str) -> None:
    """Attach a policy or change to its newest version; an index that vanished meanwhile needs neither."""
    answer = client.transport.perform_request("POST", f"{_ROOT}/{what}/{index}", body={"policy_id": policy})
    reasons = "; ".join(failed["reason"] for failed in answer.get("failed_indices", []))
    if reasons and not any(passing in reasons for passing in _PASSING):
        raise DeploymentError(
            f"ISM refuses to {what.replace('_', ' ')} {policy} on {index}: {reasons}. "
            f"Look at `GET {_ROOT}/explain/{index}`, then run `retention` again."
        )


def drop_policy(client: OpenSearch, settings: Settings) -> bool:
    """Delete the policies; False where there is none."""
    if not is_there(client):
        return False
    return any([_drop(client, policy) for _, policy, _ in _policies(settings)])


def _drop(client: OpenSearch, policy: str) -> bool:
    try:
        client.transport.perform_request("DELETE", f"{_ROOT}/policies/{policy}")
    except NotFoundError:
        return False
    return True


# -- explaining --------------------------------------------------------------------------------------


def explain(client: OpenSearch, settings: Settings) -> list[dict[str, Any]]:
    """What ISM does with each day index, oldest first, and then with each rehydrated one.

    Keys: index, policy_id (None where unmanaged), version (the policy's sequence number, None before the first tick),
    enabled, state, message. An index that is deleted while it is asked for is left out.
    """
    return [index for prefix, _, _ in _policies(settings) for index in _explain(client, prefix)]


def _explain(client: OpenSearch, prefix: str) -> list[dict[str, Any]]:
    names = search.day_indices(client, prefix).values()
    answers = {name: _explained(client, name) for name in names}
    return [{"index": name, **_summary(answer)} for name, answer in answers.items() if answer is not None]


def _explained(client: OpenSearch, name: str) -> dict[str, Any] | None:
    """ISM's answer for one index; for a missing index it is 400, not 404."""
    try:
        return client.transport.perform_request("GET", f"{_ROOT}/explain/{name}")[name]
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
        "state": _state_of(answer) if policy else "unmanaged",
        "message": _message_of(answer),
    }


def _state_of(answer: dict[str, Any]) -> str:
    """A finished policy has no state any more, an index on its way has only the one it goes to."""
    if answer.get("policy_completed"):
        return "completed"
    if answer.get("transition_to"):
        return f"to {answer['transition_to']}"
    state = (answer.get("state") or {}).get("name", "not started")
    failed = (answer.get("step") or {}).get("step_status") == "failed"
    return f"{state} (failed)" if failed else state


def _message_of(answer: dict[str, Any]) -> str:
    info = answer.get("info") or {}
    return info.get("message", "") + (f" ({info['cause']})" if info.get("cause") else "")
