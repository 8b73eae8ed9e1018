"""Retention of the hot tier: a policy where the cluster has Index State Management (ISM), whole days by name elsewhere.

ISM's answers are described in OpenSearch's documentation; what differs in practice is in docs/decisions.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from opensearchpy import OpenSearch
from opensearchpy.exceptions import NotFoundError

from dualsink import search
from dualsink.settings import Settings


def has_ism(client: OpenSearch) -> bool:
    """Whether the cluster has the index-management plugin."""
    return any(p["component"] == "opensearch-index-management" for p in client.cat.plugins(params={"format": "json"}))


def policy_id(settings: Settings) -> str:
    """Name of the ISM policy."""
    return f"{settings.opensearch_index}-retention"


def policy_body(settings: Settings) -> dict[str, Any]:
    """hot -> read only and merged after a day -> deleted after `hot_days`; ISM counts from the index's creation."""
    return {
        "policy": {
            "description": f"dualsink: {settings.opensearch_index} is searchable for {settings.hot_days} days",
            "default_state": "hot",
            "states": [
                {
                    "name": "hot",
                    "actions": [],
                    "transitions": [{"state_name": "read_mostly", "conditions": {"min_index_age": "2d"}}],
                },
                {
                    "name": "read_mostly",
                    "actions": [{"force_merge": {"max_num_segments": 1}}],
                    "transitions": [
                        {"state_name": "delete", "conditions": {"min_index_age": f"{settings.hot_days + 1}d"}}
                    ],
                },
                {"name": "delete", "actions": [{"delete": {}}], "transitions": []},
            ],
            "ism_template": [{"index_patterns": [f"{settings.opensearch_index}-*"], "priority": 100}],
        }
    }


def ensure_policy(client: OpenSearch, settings: Settings) -> str:
    """Install or update the ISM policy and attach it to indices that have none.

    Returns `created`, `updated`, `exists`, or says that the cluster has no ISM. A policy over an existing one needs
    its sequence numbers, and `ism_template` reaches only indices that are created later.
    """
    if not has_ism(client):
        return "no ISM here: `python -m dualsink retention` deletes whole days"
    path, wanted = f"/_plugins/_ism/policies/{policy_id(settings)}", policy_body(settings)
    try:
        found = client.transport.perform_request("GET", path)
    except NotFoundError:
        client.transport.perform_request("PUT", path, body=wanted)
        state = "created"
    else:
        state = _update_policy(client, path, found, wanted)
    _attach(client, settings)
    return state


def _update_policy(client: OpenSearch, path: str, found: dict[str, Any], wanted: dict[str, Any]) -> str:
    if _contains(found["policy"], wanted["policy"]):
        return "exists"
    numbers = {"if_seq_no": found["_seq_no"], "if_primary_term": found["_primary_term"]}
    client.transport.perform_request("PUT", path, params=numbers, body=wanted)
    return "updated"


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


def _attach(client: OpenSearch, settings: Settings) -> None:
    for state in explain(client, settings):
        if state["policy_id"] is None:
            client.transport.perform_request(
                "POST", f"/_plugins/_ism/add/{state['index']}", body={"policy_id": policy_id(settings)}
            )


def explain(client: OpenSearch, settings: Settings) -> list[dict[str, Any]]:
    """What ISM does with each day index: index, policy_id (None where unmanaged), state, and its last message."""
    states = []
    for name in search.day_indices(client, settings.opensearch_index).values():
        answer = client.transport.perform_request("GET", f"/_plugins/_ism/explain/{name}")[name]
        policy = answer.get("policy_id") or answer.get("index.plugins.index_state_management.policy_id")
        info = answer.get("info", {})
        states.append(
            {
                "index": name,
                "policy_id": policy,
                "state": answer.get("state", {}).get("name", "not started"),
                "message": info.get("message", "") + (f" ({info['cause']})" if info.get("cause") else ""),
            }
        )
    return states


def drop_policy(client: OpenSearch, settings: Settings) -> bool:
    """Delete the ISM policy; False where there is none."""
    if not has_ism(client):
        return False
    try:
        client.transport.perform_request("DELETE", f"/_plugins/_ism/policies/{policy_id(settings)}")
    except NotFoundError:
        return False
    return True


def expired_days(client: OpenSearch, settings: Settings, today: date | None = None) -> dict[date, str]:
    """Day indices older than the hot window of `hot_days` days before today (UTC)."""
    first = (today or datetime.now(UTC).date()) - timedelta(days=settings.hot_days)
    return {day: name for day, name in search.day_indices(client, settings.opensearch_index).items() if day < first}
