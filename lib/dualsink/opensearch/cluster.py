"""Cluster of OpenSearch: address, trust, identity."""

from dataclasses import dataclass

from dualsink.settings import Secret, Settings


@dataclass(frozen=True)
class Cluster:
    """Cluster by the names of its nodes, which share `port`.

    `url` is its address, for messages. The files are PEM, an empty name means none; `ca_file` is then the system's
    authority. Whose requests they are: AWS keys of `sigv4_region`, else `user` with `password`, else the bearer
    `token`.
    """

    hosts: tuple[str, ...]
    port: int
    url: str
    tls: bool
    ca_file: str
    cert_file: str
    key_file: str
    sigv4_region: str
    user: Secret
    password: Secret
    token: Secret

    @classmethod
    def of(cls, settings: Settings) -> "Cluster":
        """Return the cluster of the settings."""
        return cls(
            tuple(settings.opensearch_hosts),
            settings.opensearch_port,
            settings.opensearch_url,
            settings.opensearch_tls,
            settings.opensearch_ca_file,
            settings.opensearch_cert_file,
            settings.opensearch_key_file,
            settings.opensearch_sigv4_region,
            *(Secret.of(settings, f"opensearch_{name}_env") for name in ("user", "password", "token")),
        )
