"""Issuer of the local servers' bearer tokens.

They are signed on this machine; each server verifies those that are meant for it with the public key.
"""

import uuid
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt
from cryptography.hazmat.primitives import serialization

from dualsink_workbench.servers import certificates

NAME, ALGORITHM = "dualsink-local", "RS256"
_LIFE, _SPARE = timedelta(days=30), timedelta(days=7)
_LATER = {"verify_iat": False}
"""A week from now every token of today is one of the past."""


def tokens(folder: Path, server: str, users: Iterable[str]) -> dict[str, str]:
    """Return a new token for each user, for 30 days."""
    now = datetime.now(UTC)
    claims = {"iss": NAME, "aud": server, "iat": now, "exp": now + _LIFE}
    return {
        user: jwt.encode(claims | {"sub": user, "jti": uuid.uuid4().hex}, _key(folder), ALGORITHM) for user in users
    }


def is_fresh(token: str, folder: Path, server: str) -> bool:
    """Return whether a token is ours and valid for long.

    It must be valid for a week at least.
    """
    try:
        jwt.decode(token, public_key(folder), [ALGORITHM], audience=server, issuer=NAME, leeway=-_SPARE, options=_LATER)
    except jwt.InvalidTokenError:
        return False
    return True


def public_key(folder: Path) -> str:
    """Return what verifies the tokens, in PEM."""
    key = serialization.load_pem_private_key(_key(folder).encode(), None).public_key()
    form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_bytes(*form).decode()


def _key(folder: Path) -> str:
    return (folder / f"{certificates.TOKENS}.key").read_text(encoding="utf-8")
