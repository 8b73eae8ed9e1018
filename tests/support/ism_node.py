"""A stand-in for Index State Management: the one server here that is not real, because its plugin cannot be had.

It passes every request on to the real OpenSearch node and answers only what ISM would, in the shapes that were recorded
from a node with the plugin: attaching, 409 without sequence numbers, explain's 400, and its refusals of policies.
"""

import json
import re
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import requests

ACTIONS = {"read_only", "read_write", "force_merge", "delete"}
AGE = re.compile(r"\d+(d|h|m|s)")
_SETTING = "index.{}.index_state_management.policy_id"


class Refused(Exception):
    """An answer that is an error: status, type and reason."""

    def __init__(self, status: int, kind: str, reason: str):
        super().__init__(reason)
        self.status, self.kind, self.reason = status, kind, reason


class IsmNode:
    """Policies and managed indices; `metadata` of an index is what explain tells of it beyond its policy."""

    def __init__(self, opensearch: str):
        self.opensearch = opensearch
        self.policies: dict[str, dict] = {}
        self.managed: dict[str, dict] = {}
        self.metadata: dict[str, dict] = {}
        self.calls: list[tuple[str, str]] = []
        self.failing: dict[str, str] = {}

    def answer(self, method: str, path: str, query: dict[str, str], body: dict | None) -> tuple[int, dict]:
        self.calls.append((method, path))
        what, _, name = path.removeprefix("/_plugins/_ism/").partition("/")
        try:
            return getattr(self, f"{method.lower()}_{what}")(name, query, body)
        except Refused as refused:
            error = {"type": refused.kind, "reason": refused.reason}
            return refused.status, {"error": {"root_cause": [error], **error}, "status": refused.status}

    # -- policies --------------------------------------------------------------------------------------

    def get_policies(self, name, query, body):
        if name not in self.policies:
            raise Refused(404, "status_exception", "Policy not found")
        return 200, self.policies[name]

    def put_policies(self, name, query, body):
        check_policy(body)
        held = self.policies.get(name)
        numbers = {key: int(query[f"if{key}"]) for key in ("_seq_no", "_primary_term") if f"if{key}" in query}
        if held and numbers != {key: held[key] for key in ("_seq_no", "_primary_term")}:
            raise Refused(409, "version_conflict_engine_exception", f"[{name}]: version conflict")
        seq_no = max([p["_seq_no"] for p in self.policies.values()], default=-1) + 1
        version = held["_version"] + 1 if held else 1
        policy = self._filled(name, body["policy"])
        self.policies[name] = {
            "_id": name,
            "_version": version,
            "_seq_no": seq_no,
            "_primary_term": 1,
            "policy": policy,
        }
        return (200 if held else 201), {**self.policies[name], "policy": {"policy": policy}}

    @staticmethod
    def _filled(name, policy):
        """The policy as the server keeps it, with its own fields and the defaults of each action's retries."""
        retry = {"count": 3, "backoff": "exponential", "delay": "1m"}
        states = [s | {"actions": [{"retry": retry, **a} for a in s["actions"]]} for s in policy["states"]]
        templates = [t | {"last_updated_time": 1795900000000} for t in policy["ism_template"]]
        own = {"policy_id": name, "last_updated_time": 1795900000000, "schema_version": 24, "error_notification": None}
        return own | policy | {"states": states, "ism_template": templates}

    def delete_policies(self, name, query, body):
        self.get_policies(name, query, body)
        del self.policies[name]
        return 200, {"_id": name, "result": "deleted"}

    # -- indices ---------------------------------------------------------------------------------------

    def _exists(self, index: str) -> bool:
        return requests.head(f"{self.opensearch}/{index}", timeout=10).status_code == 200

    def _changed(self, index, refusal):
        failed = [{"index_name": index, "index_uuid": "uuid", "reason": refusal}] if refusal else []
        updated = int(not refusal and self._exists(index))
        return 200, {"updated_indices": updated, "failures": bool(failed), "failed_indices": failed}

    def post_add(self, index, query, body):
        if body["policy_id"] not in self.policies:
            raise Refused(404, "status_exception", f"Could not find policy={body['policy_id']}")
        held = index in self.managed and "This index already has a policy, use the update policy API to update it"
        refusal = self.failing.get(index) or held
        if not refusal and self._exists(index):
            self.managed[index] = {"policy_id": body["policy_id"], "enabled": True}
        return self._changed(index, refusal)

    def post_change_policy(self, index, query, body):
        if body["policy_id"] not in self.policies:
            raise Refused(404, "status_exception", f"Could not find policy={body['policy_id']}")
        refusal = self.failing.get(index) or (index not in self.managed and "This index is not being managed")
        if not refusal and self.managed[index]["enabled"]:  # else "updated 1", and nothing happens
            self.tick(index)
        return self._changed(index, refusal)

    def post_remove(self, index, query, body):
        self.managed.pop(index, None)
        self.metadata.pop(index, None)
        return self._changed(index, None)

    def tick(self, index: str, **metadata) -> None:
        """The job has run: explain knows the policy's version and a state from now on."""
        policy = self.policies[self.managed[index]["policy_id"]]
        versions = {"policy_seq_no": policy["_seq_no"], "policy_primary_term": policy["_primary_term"]}
        state = self.metadata.get(index, {}).get("state") or {"name": "hot", "start_time": 1795900000000}
        told = versions | {"state": state} | metadata
        name = (told["state"] or state)["name"]
        if name not in [known["name"] for known in policy["policy"]["states"]]:
            self.managed[index]["enabled"] = False
            told["info"] = {"message": f"Failed to find state={name}"}
        self.metadata[index] = told

    def get_explain(self, index, query, body):
        if not self._exists(index):
            raise Refused(400, "action_request_validation_exception", "Validation Failed: 1: no documents to get;")
        managed = self.managed.get(index)
        policy = managed["policy_id"] if managed else None
        settings = {_SETTING.format(plugin): policy for plugin in ("plugins", "opendistro")}
        told = {"policy_id": None, "enabled": None}
        if managed:
            told = {"index": index, "index_uuid": "uuid", **managed, **self.metadata.get(index, {})}
        return 200, {index: settings | told, "total_managed_indices": int(bool(managed))}


def check_policy(body: dict) -> None:
    """Refuse what ISM refuses. Raises Refused(400)."""

    def require(fits: bool, reason: str) -> None:
        if not fits:
            raise Refused(400, "illegal_argument_exception", reason)

    def only(found: dict, known: set[str], where: str) -> None:
        for field in found.keys() - known:
            require(False, f"Invalid field: [{field}] found in {where}.")

    only(body, {"policy"}, "request")
    policy = body["policy"]
    only(policy, {"description", "default_state", "states", "ism_template", "error_notification"}, "Policy")
    require(isinstance(policy.get("description"), str), "Policy description is null")
    names = [state["name"] for state in policy["states"]]
    require(bool(names), "Policy must contain at least one State")
    require(len(names) == len(set(names)), "Policy cannot have duplicate State names")
    require(policy.get("default_state") in names, "Policy must have a valid default state")
    for state in policy["states"]:
        only(state, {"name", "actions", "transitions"}, "State")
        kinds = [next(iter(action.keys() - {"retry", "timeout"})) for action in state["actions"]]
        require(set(kinds) <= ACTIONS, f"Action {kinds} is not known")
        require("delete" not in kinds[:-1], "must not contain an action after a delete action")
        require("delete" not in kinds or not state["transitions"], "cannot contain transitions if using delete action")
        for action in state["actions"]:
            require("max_num_segments" in action.get("force_merge", {"max_num_segments": 1}), "maxNumSegments is null")
        for transition in state["transitions"]:
            only(transition, {"state_name", "conditions"}, "Transition")
            require(transition["state_name"] in names, "Policy contains a transition to an unknown state")
            conditions = transition.get("conditions", {"min_index_age": "1d"})
            require(len(conditions) == 1, "Cannot provide more than one Transition condition")
            require(
                bool(AGE.fullmatch(conditions.get("min_index_age", "1d"))), "failed to parse setting [min_index_age]"
            )
    for template in policy["ism_template"]:
        require(template["priority"] >= 0, "priority cannot be negative")
        require(bool(template["index_patterns"]), "index patterns must not be empty")
        require(not any(p.startswith("_") for p in template["index_patterns"]), "must not start with '_'")


@contextmanager
def ism_node(opensearch: str):
    """The stand-in on a free port of loopback, in front of the node at `opensearch`; yields (port, IsmNode)."""
    node = IsmNode(opensearch)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(node))
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1], node
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(node: IsmNode) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _any(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            path, _, query = self.path.partition("?")
            if path.startswith("/_plugins/_ism/"):
                pairs = dict(pair.split("=", 1) for pair in query.split("&") if pair)
                self._say(*node.answer(self.command, path, pairs, json.loads(body) if body else None))
            elif path == "/_cat/plugins":
                self._say(200, [{"name": "n", "component": "opensearch-index-management", "version": "3.4.0.0"}])
            else:
                self._pass_on(body)

        def _pass_on(self, body: bytes) -> None:
            headers = {"content-type": self.headers.get("content-type") or "application/json"}
            url = f"{node.opensearch}{self.path}"
            found = requests.request(self.command, url, data=body or None, headers=headers, timeout=60)
            self._send(found.status_code, found.headers.get("content-type", "application/json"), found.content)

        def _say(self, status: int, answer) -> None:
            self._send(status, "application/json", json.dumps(answer).encode())

        def _send(self, status: int, kind: str, content: bytes) -> None:
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _any

        def log_message(self, *args) -> None:
            """Say nothing."""

    return Handler
