"""Certificates of the secured local servers, made on this machine.

One authority, whose key is never written, and a certificate for each server.
"""

import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from dualsink_workbench.servers import private_file
from dualsink_workbench.servers.server import LOOPBACK

AUTHORITY = "ca.pem"
ADMINISTRATOR = "opensearch-admin"
TOKENS = "tokens"
"""Name of the key that signs tokens."""
_SERVERS = ("kafka", "opensearch", "nessie", "s3", "trino")
_LABELS = {"organization_name": "dualsink", "organization_unit_name": "local"}
_DAYS, _SPARE_DAYS = 397, 7


def ensure(folder: Path) -> None:
    """Make authority and certificates unless they are there and valid.

    PEM files, keys as PKCS#8 and readable by their owner alone. What is about to expire is made anew.
    """
    if _is_valid(folder / AUTHORITY, *(folder / f"{name}.pem" for name in (*_SERVERS, ADMINISTRATOR, TOKENS))):
        return
    draft = folder.with_name(f".{folder.name}.{os.getpid()}")
    draft.mkdir(mode=0o700, parents=True)
    _make(draft)
    shutil.rmtree(folder, ignore_errors=True)
    draft.rename(folder)


def subject(name: str) -> str:
    """Return a certificate's distinguished name, as JVMs write it."""
    return f"CN={name},OU={_LABELS['organization_unit_name']},O={_LABELS['organization_name']}"


def _is_valid(*certificates: Path) -> bool:
    until = datetime.now(UTC) + timedelta(days=_SPARE_DAYS)
    found = [x509.load_pem_x509_certificate(file.read_bytes()) for file in certificates if file.is_file()]
    return len(found) == len(certificates) and all(until < each.not_valid_after_utc for each in found)


def _make(folder: Path) -> None:
    authority, end = trustme.CA(**_LABELS), datetime.now(UTC) + timedelta(days=_DAYS)
    for name in _SERVERS:
        _write(folder, name, authority.issue_cert(LOOPBACK, "localhost", common_name=name, not_after=end, **_LABELS))
    person = authority.issue_cert(f"{ADMINISTRATOR}@localhost", common_name=ADMINISTRATOR, not_after=end, **_LABELS)
    _write(folder, ADMINISTRATOR, person)
    rsa = {"common_name": TOKENS, "key_type": trustme.KeyType.RSA}  # the one kind that Quarkus takes by its public key
    _write(folder, TOKENS, authority.issue_cert(f"{TOKENS}@localhost", not_after=end, **rsa, **_LABELS))
    authority.cert_pem.write_to_path(folder / AUTHORITY)


def _write(folder: Path, name: str, made: trustme.LeafCert) -> None:
    key = serialization.load_pem_private_key(made.private_key_pem.bytes(), None)
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    certificate, private = made.cert_chain_pems[0].bytes(), key.private_bytes(serialization.Encoding.PEM, *form)
    (folder / f"{name}.pem").write_bytes(certificate)
    private_file.write(folder / f"{name}.key", private.decode())
    private_file.write(folder / f"{name}-both.pem", (private + certificate).decode())
