"""Nessie with HTTPS, bearer tokens, and the rights of each.

The tokens are signed here; Nessie's own OIDC verifies them with the public key.
"""

import base64
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt
from cryptography.hazmat.primitives import serialization

from dualsink.settings import Settings
from dualsink_workbench.servers import certificates

_ISSUER, _AUDIENCE, _ALGORITHM = "dualsink-local", "nessie", "RS256"
_LIFE, _SPARE = timedelta(days=30), timedelta(days=7)
_LATER = {"verify_iat": False}
"""A week from now every token of today is one of the past."""
_READ = (
    "VIEW_REFERENCE",
    "LIST_COMMIT_LOG",
    "READ_ENTRIES",
    "READ_CONTENT_KEY",
    "READ_ENTITY_VALUE",
    "READ_REPOSITORY_CONFIG",
)
_WRITE = ("COMMIT_CHANGE_AGAINST_REFERENCE", "CREATE_ENTITY", "UPDATE_ENTITY")
_RIGHTS = {"stream": _READ + _WRITE, "reader": _READ}


def options(settings: Settings, port: int) -> dict[str, object]:
    """Return Nessie's options that make it secure."""
    found: dict[str, object] = {
        "quarkus.http.insecure-requests": "disabled",
        "quarkus.http.ssl-port": port,
        "quarkus.http.ssl.certificate.files": settings.tls_path / "nessie.pem",
        "quarkus.http.ssl.certificate.key-files": settings.tls_path / "nessie.key",
        "nessie.server.authentication.enabled": "true",
        "quarkus.oidc.application-type": "service",
        "quarkus.oidc.public-key": _public(settings.tls_path),
        "quarkus.oidc.token.issuer": _ISSUER,
        "quarkus.oidc.token.audience": _AUDIENCE,
        "quarkus.oidc.token.signature-algorithm": _ALGORITHM,
        "nessie.server.authorization.enabled": "true",
        "nessie.server.authorization.rules.admin": "role=='admin'",
    }
    for user, operations in _RIGHTS.items():
        rule = f"role=='{user}' && op in [{', '.join(repr(each) for each in operations)}]"
        found[f"nessie.server.authorization.rules.{user}"] = rule
    return found


def tokens(folder: Path, users: Iterable[str]) -> dict[str, str]:
    """Return a new token for each user, for 30 days."""
    now = datetime.now(UTC)
    claims = {"iss": _ISSUER, "aud": _AUDIENCE, "iat": now, "exp": now + _LIFE}
    return {
        user: jwt.encode(claims | {"sub": user, "jti": uuid.uuid4().hex}, _private(folder), _ALGORITHM)
        for user in users
    }


def is_fresh(token: str, folder: Path) -> bool:
    """Return whether a token is ours and valid for long.

    It must be valid for a week at least.
    """
    key = serialization.load_pem_private_key(_private(folder).encode(), None).public_key()
    try:
        jwt.decode(token, key, [_ALGORITHM], audience=_AUDIENCE, issuer=_ISSUER, leeway=-_SPARE, options=_LATER)
    except jwt.InvalidTokenError:
        return False
    return True


def _private(folder: Path) -> str:
    return (folder / f"{certificates.TOKENS}.key").read_text(encoding="utf-8")


def _public(folder: Path) -> str:
    key = serialization.load_pem_private_key(_private(folder).encode(), None).public_key()
    form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    return base64.b64encode(key.public_bytes(*form)).decode()
