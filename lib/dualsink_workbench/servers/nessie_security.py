"""Nessie with HTTPS, bearer tokens, and the rights of each.

Nessie's own OIDC verifies the tokens with the issuer's public key.
"""

from dualsink.settings import Settings
from dualsink_workbench.servers import issuer

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
        "quarkus.oidc.public-key": "".join(issuer.public_key(settings.tls_path).splitlines()[1:-1]),
        "quarkus.oidc.token.issuer": issuer.NAME,
        "quarkus.oidc.token.audience": "nessie",
        "quarkus.oidc.token.signature-algorithm": issuer.ALGORITHM,
        "nessie.server.authorization.enabled": "true",
        "nessie.server.authorization.rules.admin": "role=='admin'",
    }
    for user, operations in _RIGHTS.items():
        rule = f"role=='{user}' && op in [{', '.join(repr(each) for each in operations)}]"
        found[f"nessie.server.authorization.rules.{user}"] = rule
    return found
