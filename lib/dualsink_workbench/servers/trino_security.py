"""Trino with HTTPS and bearer tokens.

Clients are asked for a token on their port; its parts know each other by a secret, on a port of their own.
"""

from collections.abc import Mapping
from pathlib import Path

from dualsink.settings import Settings
from dualsink_workbench.servers import issuer
from dualsink_workbench.servers.server import LOOPBACK

SHARED_SECRET = "TRINO_SHARED_SECRET"
"""Environment variable with the secret that its parts know each other by."""
_KEY = "tokens.pem"


def options(settings: Settings, port: int, ports: Mapping[str, int]) -> dict[str, object]:
    """Return Trino's options that make it secure."""
    jwt = "http-server.authentication.jwt"
    return {
        "http-server.http.port": ports["internal"],
        "discovery.uri": f"http://{LOOPBACK}:{ports['internal']}",
        "http-server.https.enabled": "true",
        "http-server.https.port": port,
        "http-server.https.keystore.path": settings.tls_path / "trino-both.pem",
        "http-server.authentication.type": "JWT",
        "http-server.authentication.allow-insecure-over-http": "false",
        f"{jwt}.key-file": _KEY,
        f"{jwt}.required-audience": "trino",
        f"{jwt}.required-issuer": issuer.NAME,
        "internal-communication.shared-secret": f"${{ENV:{SHARED_SECRET}}}",
    }


def prepare(settings: Settings, folder: Path) -> None:
    """Write what verifies its tokens."""
    (folder / _KEY).write_text(issuer.public_key(settings.tls_path), encoding="utf-8")
