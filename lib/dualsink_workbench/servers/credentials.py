"""Keys, passwords and certificates of the local servers.

They are random, made once, and readable by their owner.
"""

import copy
import json
import os
import secrets
from pathlib import Path
from typing import Any

from filelock import FileLock

from dualsink.settings import Settings
from dualsink_workbench.servers import certificates, issuer, private_file

USERS = {
    "kafka": ("admin", "producer", "stream", "reader"),
    "opensearch": ("stream", "keeper", "reader"),
    "nessie": ("admin", "stream", "reader"),
    "s3": ("keeper",),
    "trino": ("reader",),
}
"""Users of the secured servers; of S3 the one beside the key that every local server has."""
_OURS = {
    "kafka": {"admin": ("kafka_user_env", "kafka_password_env")},
    "opensearch": {
        "stream": ("opensearch_user_env", "opensearch_password_env"),
        "keeper": ("opensearch_keeper_user_env", "opensearch_keeper_password_env"),
    },
    "nessie": {"admin": ("", "nessie_token_env")},
    "s3": {"keeper": ("s3_keeper_access_key_env", "s3_keeper_secret_key_env")},
    "trino": {"reader": ("trino_user_env", "trino_token_env")},
}
"""Whom the suite is by itself: user, and the parameters that name him and his secret."""
_BEARERS = ("nessie", "trino")
"""Servers whose users have tokens, all of the same age."""


def export(settings: Settings) -> None:
    """Export the local secrets into the environment.

    For programs that act as if they ran on another machine.
    """
    ensure(settings)
    for parameter in Settings.model_fields:
        if parameter.endswith("_env") and (value := settings.secret(parameter)):
            os.environ[getattr(settings, parameter)] = value


def ensure(settings: Settings) -> None:
    """Make what the local servers of these settings lack.

    What is there stays. See `Settings.secret`.
    """
    file = settings.credentials_file
    file.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(file.with_name(".credentials.lock")):
        if settings.secured_servers:
            certificates.ensure(settings.tls_path)
        known = _read(file)
        if (complete := _complete(settings, known)) != known:
            private_file.write(file, json.dumps(complete))


def users(settings: Settings, server: str) -> dict[str, str]:
    """Return secrets of a secured server's users, by user."""
    return _read(settings.credentials_file)["identities"][server]


def _complete(settings: Settings, known: dict[str, Any]) -> dict[str, Any]:
    keys = copy.deepcopy(known)
    _add(keys, {"access_key": f"local{secrets.token_hex(8)}", "secret_key": secrets.token_urlsafe(32)})
    for server in settings.secured_servers:
        given = keys.setdefault("identities", {}).setdefault(server, {})
        _add(given, {user: secrets.token_urlsafe(24) for user in USERS[server]})
        if server in _BEARERS and not issuer.is_fresh(given[USERS[server][0]], settings.tls_path, server):
            given |= issuer.tokens(settings.tls_path, server, USERS[server])
        for user, (name, secret) in _OURS[server].items():
            keys |= ({name: user} if name else {}) | {secret: given[user]}
    return keys


def _add(keys: dict[str, Any], new: dict[str, Any]) -> None:
    keys |= new | keys


def _read(file: Path) -> dict[str, Any]:
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
