"""Servers of the archive, storage and catalogue: address, trust, identity."""

from dataclasses import dataclass

from dualsink.settings import Secret, Settings


@dataclass(frozen=True)
class Storage:
    """Object storage of the archive, with its bucket.

    `endpoint` is its address. `ca_file` is PEM, empty means the system's authorities. `profile` names one of AWS's,
    whose keys serve where the secrets are none. `sse` is AES256 or aws:kms, empty means no encryption of its own.
    """

    endpoint: str
    bucket: str
    region: str
    ca_file: str
    profile: str
    sse: str
    kms_key: str
    access_key: Secret
    secret_key: Secret
    session_token: Secret

    @classmethod
    def of(cls, settings: Settings) -> "Storage":
        """Return the storage of the settings."""
        return cls(
            settings.s3_endpoint,
            settings.s3_bucket,
            settings.s3_region,
            settings.s3_ca_file,
            settings.s3_profile,
            settings.s3_sse,
            settings.s3_kms_key,
            *(Secret.of(settings, f"s3_{name}_env") for name in ("access_key", "secret_key", "session_token")),
        )


@dataclass(frozen=True)
class Catalogue:
    """Nessie catalogue: API v2 at `uri`, branch `ref`.

    `ca_file` is PEM, empty means the system's authorities. Whose requests they are: the bearer `token`, else the client
    of OAuth to which `oauth_url` gives tokens.
    """

    uri: str
    ref: str
    ca_file: str
    oauth_url: str
    scope: str
    token: Secret
    client_id: Secret
    client_secret: Secret

    @classmethod
    def of(cls, settings: Settings) -> "Catalogue":
        """Return the catalogue of the settings."""
        return cls(
            settings.nessie_uri,
            settings.nessie_ref,
            settings.nessie_ca_file,
            settings.nessie_oauth_url,
            settings.nessie_scope,
            *(Secret.of(settings, f"nessie_{name}_env") for name in ("token", "client_id", "client_secret")),
        )
