"""Price of TLS and users: plain servers beside secured ones.

Both are measured in one run, by turns.
"""

from collections.abc import Mapping

from dualsink.settings import Settings

CONTENDERS = ("raw", "dualsink")
"""Contenders that speak TLS on every leg."""
SUFFIX = ", TLS"
"""End of a contender's name on the secured servers."""


def sides(settings: Settings) -> Mapping[str, Settings]:
    """Return settings by the end of a contender's name.

    Secured ones come with the same without TLS and users.
    """
    return {"": _plain(settings), SUFFIX: settings} if settings.secured_servers else {"": settings}


def _plain(settings: Settings) -> Settings:
    addresses = {
        name: getattr(settings, name).replace("https:", "http:", 1)
        for name in ("nessie_uri", "s3_endpoint", "trino_uri")
    }
    files = {f"{server}_ca_file": "" for server in settings.secured_servers}
    switches = {"kafka_security_protocol": "PLAINTEXT", "opensearch_tls": False}
    return settings.model_copy(update=addresses | files | switches)
