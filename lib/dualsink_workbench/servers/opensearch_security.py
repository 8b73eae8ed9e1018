"""OpenSearch's security plugin: TLS, users, and their rights."""

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from opensearchpy import OpenSearch

from dualsink.settings import Settings
from dualsink_workbench.servers import certificates, issuer
from dualsink_workbench.servers.server import TRIALS

PLUGIN = "opensearch-security"
_API = "/_plugins/_security/api"
PLUGIN_CLASS = "org.opensearch.security.OpenSearchSecurityPlugin"
# Nobody is known before `grant`, which the administrator's certificate may do.
_EMPTY = ("internal_users", "roles", "roles_mapping")
# The ledger refreshes what it counts, as its reader.
_READ = (
    "read",
    "indices:monitor/*",
    "indices:admin/get",
    "indices:admin/mappings/get",
    "indices:admin/aliases/get",
    "indices:admin/refresh*",
)
_CREATE = (
    "indices:data/write/bulk*",
    "indices:data/write/index",
    "indices:admin/create",
    "indices:admin/mapping/put",
    "indices:admin/mapping/auto_put",
    "indices:admin/aliases",
    "indices:admin/settings/update",
)
_TEMPLATE = ("cluster_monitor", "indices:admin/index_template/get", "indices:admin/index_template/put")
_KEEP = ("cluster_monitor", "indices:admin/index_template/*", "cluster:admin/opendistro/ism/*")
_ASK = ("cluster:monitor/main", "cluster:monitor/health", "cluster:monitor/state", "cluster_composite_ops_ro")


def options(settings: Settings, configuration: Path) -> dict[str, object]:
    """Return the node's options that make it secure.

    The node reads certificates only below its own configuration.
    """
    for name in (certificates.AUTHORITY, "opensearch.pem", "opensearch.key"):
        shutil.copy(settings.tls_path / name, configuration / name)
    found: dict[str, object] = {
        "plugins.security.allow_default_init_securityindex": "true",
        "plugins.security.authcz.admin_dn": f'["{certificates.subject(certificates.ADMINISTRATOR)}"]',
        "plugins.security.nodes_dn": f'["{certificates.subject("opensearch")}"]',
        "plugins.security.ssl.http.enabled": "true",
        "plugins.security.ssl.http.clientauth_mode": "OPTIONAL",
        "plugins.security.restapi.roles_enabled": "[]",
    }
    for layer in ("http", "transport"):
        prefix = f"plugins.security.ssl.{layer}"
        found |= {f"{prefix}.pemcert_filepath": "opensearch.pem", f"{prefix}.pemkey_filepath": "opensearch.key"}
        found[f"{prefix}.pemtrustedcas_filepath"] = certificates.AUTHORITY
    return found


def prepare(configuration: Path, plugin: Path, public_key: str) -> None:
    """Write what the plugin reads on an empty node.

    `public_key` verifies bearer tokens, in PEM.
    """
    target = configuration / PLUGIN
    shutil.copytree(plugin / "config", target, dirs_exist_ok=True)
    (target / "config.yml").write_text(json.dumps(_who_is_asked(public_key)), encoding="utf-8")
    for kind in _EMPTY:
        text = f"_meta:\n  type: {kind.replace('_', '')}\n  config_version: 2\n"
        (target / f"{kind}.yml").write_text(text, encoding="utf-8")
    audit = target / "audit.yml"  # nothing here keeps an audit log, and its noise would hide what a log explains
    audit.write_text(audit.read_text(encoding="utf-8").replace("enabled: true", "enabled: false"), encoding="utf-8")
    for file in (configuration, *configuration.rglob("*")):
        file.chmod(0o700 if file.is_dir() else 0o600)


def _who_is_asked(public_key: str) -> dict[str, Any]:
    """Return the plugin's configuration: tokens first, then passwords."""
    token = {"signing_key": public_key, "subject_key": "sub", "required_audience": "opensearch"}
    token["required_issuer"] = issuer.NAME
    domains = {
        "tokens": _domain(0, {"type": "jwt", "challenge": False, "config": token}, "noop"),
        "passwords": _domain(1, {"type": "basic", "challenge": True}, "intern"),
    }
    return {"_meta": {"type": "config", "config_version": 2}, "config": {"dynamic": {"authc": domains}}}


def _domain(order: int, authenticator: dict[str, Any], backend: str) -> dict[str, Any]:
    where = {"http_enabled": True, "transport_enabled": False, "order": order}
    return where | {"http_authenticator": authenticator, "authentication_backend": {"type": backend}}


def administrator(settings: Settings, timeout: float = 5) -> OpenSearch:
    """Return a client with the administrator's certificate."""
    certificate = settings.tls_path / f"{certificates.ADMINISTRATOR}.pem"
    return OpenSearch(
        settings.opensearch_url,
        ca_certs=settings.opensearch_ca_file,
        client_cert=str(certificate),
        client_key=str(certificate.with_suffix(".key")),
        timeout=timeout,
        max_retries=0,
    )


def grant(client: OpenSearch, settings: Settings, passwords: Mapping[str, str]) -> None:
    """Create users and roles, unless they are as wanted.

    A role is of whoever bears the user's name, with a password or a token. Users come last and bear a mark of all that
    was granted: whose mark fits needs nothing.
    """
    roles = {f"dualsink-{name}": role for name, role in _roles(settings.opensearch_index).items()}
    mark = hashlib.sha256(json.dumps([roles, dict(passwords)]).encode()).hexdigest()
    found = client.transport.perform_request("GET", f"{_API}/internalusers")
    if all(found.get(user, {}).get("attributes", {}).get("granted") == mark for user in passwords):
        return
    bearers = {f"dualsink-{user}": {"users": [user]} for user in passwords}
    users = {user: {"password": secret, "attributes": {"granted": mark}} for user, secret in passwords.items()}
    for kind, entries in {"roles": roles, "rolesmapping": bearers, "internalusers": users}.items():
        patch = [{"op": "add", "path": f"/{name}", "value": entry} for name, entry in entries.items()]
        client.transport.perform_request("PATCH", f"{_API}/{kind}", body=patch, params={"request_timeout": 60})


def is_ready(client: OpenSearch) -> bool:
    """Return whether the plugin has read its own index."""
    return client.transport.perform_request("GET", "/_plugins/_security/health")["status"] == "UP"


def _roles(alias: str) -> dict[str, dict[str, Any]]:
    reader = _role(_ASK, alias, _READ)
    stream = _role((*_ASK, *_TEMPLATE, "cluster_composite_ops"), alias, (*_READ, *_CREATE))
    keeper = _role((*_ASK, *_KEEP, "cluster_composite_ops"), alias, ("*",))
    return {"reader": reader, "stream": stream, "keeper": keeper}


def _role(cluster: tuple[str, ...], alias: str, actions: tuple[str, ...]) -> dict[str, Any]:
    rights = {"index_patterns": [alias, f"{alias}-*", f"{TRIALS}-*"], "allowed_actions": list(actions)}
    return {"cluster_permissions": list(cluster), "index_permissions": [rights]}
