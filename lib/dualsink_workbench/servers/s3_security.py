"""SeaweedFS with HTTPS, and the rights of each key.

Its other interfaces ask for a certificate or a signature of its own.
"""

import json
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dualsink.settings import Settings
from dualsink_workbench.servers import certificates
from dualsink_workbench.servers.private_file import write
from dualsink_workbench.servers.server import TRIALS

_CONFIGURATION, _ENCRYPTION = "identities.json", "encryption.key"
_COMPONENTS = ("master", "volume", "filer", "s3", "client")
_KEPT = ("s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts")
_BUCKET = ("s3:ListBucket", "s3:GetBucketLocation", "s3:ListBucketMultipartUploads", "s3:GetEncryptionConfiguration")


def options(settings: Settings) -> dict[str, object]:
    """Return SeaweedFS's options that make it secure."""
    return {
        "disableHttp": "true",  # of master and filer, which would answer anybody
        "s3.cert.file": settings.tls_path / "s3.pem",
        "s3.key.file": settings.tls_path / "s3.key",
        "s3.config": _CONFIGURATION,
    }


def prepare(settings: Settings, folder: Path) -> None:
    """Write identities, and how its parts trust each other."""
    write(folder / _CONFIGURATION, json.dumps(_identities(settings), indent=2))
    if not (folder / _ENCRYPTION).exists():
        write(folder / _ENCRYPTION, secrets.token_hex(32))
    write(folder / "security.toml", _between_parts(settings) + _at_rest(folder / _ENCRYPTION))


def _identities(settings: Settings) -> dict[str, Any]:
    keys = {
        "keeper": ("s3_keeper_access_key_env", "s3_keeper_secret_key_env"),
        "stream": ("s3_access_key_env", "s3_secret_key_env"),
    }
    rights = {"keeper": {"actions": ["Admin"]}, "stream": {"policyNames": ["stream"]}}
    identities = [
        {
            "name": name,
            "credentials": [dict(zip(("accessKey", "secretKey"), map(settings.secret, pair), strict=True))],
            **rights[name],
        }
        for name, pair in keys.items()
    ]
    return {"identities": identities, "policies": [{"name": "stream", "content": json.dumps(_policy(settings))}]}


def _policy(settings: Settings) -> dict[str, Any]:
    """Return the stream's policy: put and get below its folders.

    It deletes nothing but files of its own checkpoint, and of those of chaos's trials.
    """
    statements = _statements(settings.warehouse, _KEPT)
    for checkpoint in filter(None, (settings.checkpoint_url, f"s3://{settings.s3_bucket}/checkpoints/{TRIALS}_*")):
        statements += _statements(checkpoint, (*_KEPT, "s3:DeleteObject"))
    return {"Version": "2012-10-17", "Statement": statements}


def _statements(url: str, actions: tuple[str, ...]) -> list[dict[str, Any]]:
    bucket, folder = urlsplit(url).netloc, urlsplit(url).path.strip("/")
    places = {f"arn:aws:s3:::{bucket}": _BUCKET, f"arn:aws:s3:::{bucket}/{folder}/*": actions}
    return [{"Effect": "Allow", "Action": list(may), "Resource": [place]} for place, may in places.items()]


def _between_parts(settings: Settings) -> str:
    place = settings.tls_path
    lines = [
        "[filer.expose_directory_metadata]",
        "enabled = false",
        "[grpc]",
        f'ca = "{place / certificates.AUTHORITY}"',
    ]
    for part in _COMPONENTS:
        lines += [f"[grpc.{part}]", f'cert = "{place / "s3.pem"}"', f'key = "{place / "s3.key"}"']
    for signature in ("jwt.signing", "jwt.signing.read", "jwt.filer_signing", "jwt.filer_signing.read"):
        lines += [f"[{signature}]", f'key = "{secrets.token_urlsafe(32)}"']
    return "\n".join(lines) + "\n"


def _at_rest(key: Path) -> str:
    """Return what `s3_sse: AES256` encrypts with, while the data lives."""
    return f'[s3.sse]\nkek = "{key.read_text(encoding="utf-8")}"\n'
