"""Security of storage and catalogue: options for each client.

Storage: boto3, Arrow and PyIceberg, Iceberg in Spark. Without keys in the settings' variables each of them looks for
the machine's profile or role by AWS's own chain. Catalogue: requests and Iceberg in Spark.
"""

from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import boto3
from requests import Response

from dualsink.errors import DeploymentError, DualsinkError, SettingsError
from dualsink.iceberg.servers import Catalogue, Storage
from dualsink.tls import Leg
from dualsink.tokens import TokenSource

_TRUSTING = "dualsink.iceberg.trusting_io.TrustingFileIO"
"""Loaded by name, by PyIceberg alone: its storage of Arrow takes a third of a second to import."""
_SPARKS_SSE = {"AES256": "s3", "aws:kms": "kms"}
CA_PROPERTY = "dualsink.s3.ca-file"
"""Property of a table's storage in PyIceberg, which has none of its own for an authority."""


# -- storage ----------------------------------------------------------------------------------------


def keys(storage: Storage) -> dict[str, str]:
    """Return access key, secret key and session token.

    By boto3's names; empty if the settings' variables hold none.
    """
    return _named(storage.access_key.read(), storage.secret_key.read(), storage.session_token.read())


def keys_or_profile(storage: Storage) -> dict[str, str]:
    """Return keys as `keys` does, else those of the profile.

    Arrow needs this: it knows no profiles.
    """
    found = keys(storage)
    if found or not storage.profile:
        return found
    return _named(*boto3.Session(profile_name=storage.profile).get_credentials().get_frozen_credentials()[:3])


def _named(access_key: str | None, secret_key: str | None, token: str | None) -> dict[str, str]:
    found = {"aws_access_key_id": access_key, "aws_secret_access_key": secret_key, "aws_session_token": token}
    return {name: value for name, value in found.items() if value}


def sse(storage: Storage) -> dict[str, str]:
    """Return encryption as parameters of PutObject."""
    named = {"ServerSideEncryption": storage.sse, "SSEKMSKeyId": storage.kms_key}
    return {name: value for name, value in named.items() if value}


def pyiceberg(storage: Storage) -> dict[str, str]:
    """Return the storage as properties of PyIceberg."""
    named = {"aws_access_key_id": "access-key-id", "aws_secret_access_key": "secret-access-key"}
    named["aws_session_token"] = "session-token"
    found = {f"s3.{named[name]}": value for name, value in keys_or_profile(storage).items()}
    place = {"s3.endpoint": storage.endpoint, "s3.region": storage.region, "s3.connect-timeout": "10"}
    trusted = {"py-io-impl": _TRUSTING, CA_PROPERTY: storage.ca_file}
    return place | found | (trusted if storage.ca_file else {})


def file_io(storage: Storage) -> dict[str, str]:
    """Return encryption as properties of Iceberg's S3FileIO.

    Keys reach it through the environment of its JVM.
    """
    if not storage.sse:
        return {}
    key = {"s3.sse.key": storage.kms_key} if storage.kms_key else {}
    return {"s3.sse.type": _SPARKS_SSE[storage.sse]} | key


def storage_failure(storage: Storage) -> DualsinkError | None:
    """Return cause and remedy of a failed connection.

    None if neither TLS nor the network has one.
    """
    return _leg("The storage", storage.endpoint, storage.ca_file, "s3_endpoint", "s3_ca_file").failure()


# -- catalogue --------------------------------------------------------------------------------------


def http(catalogue: Catalogue) -> dict[str, Any]:
    """Return trust and token as arguments of requests.

    The token is read at this call, or asked for if the last one ends. Raises what `TokenSource.token` raises, and
    SettingsError if it would travel in plain text.
    """
    token = catalogue.token.read()
    if not token and catalogue.oauth_url:
        token = _source(catalogue).token()
    _check_travels_hidden(catalogue, token)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return {"verify": catalogue.ca_file or True, "headers": headers}


def _check_travels_hidden(catalogue: Catalogue, token: str | None) -> None:
    if token and urlsplit(catalogue.uri).scheme != "https":
        raise SettingsError("A token for the catalogue needs nessie_uri with https: in plain text anybody reads it.")


@lru_cache(maxsize=16)
def _source(catalogue: Catalogue) -> TokenSource:
    return TokenSource(
        "The catalogue",
        catalogue.oauth_url,
        lambda: (catalogue.client_id.read(), catalogue.client_secret.read()),
        catalogue.scope,
        catalogue.ca_file,
    )


def nessie_properties(catalogue: Catalogue) -> dict[str, str]:
    """Return the identity as properties of Iceberg's Nessie catalogue.

    Keep them in memory: they hold secrets.
    """
    token = catalogue.token.read()
    _check_travels_hidden(catalogue, token or catalogue.oauth_url)
    if token:
        return {"authentication.type": "BEARER", "authentication.token": token}
    if not catalogue.oauth_url:
        return {}
    named = {
        "token-endpoint": catalogue.oauth_url,
        "grant-type": "client_credentials",
        "client-id": catalogue.client_id.read(),
        "client-secret": catalogue.client_secret.read(),
        "client-scopes": catalogue.scope,
    }
    oauth = {f"authentication.oauth2.{name}": value for name, value in named.items() if value}
    return {"authentication.type": "OAUTH2"} | oauth


def refused(catalogue: Catalogue, answer: Response) -> DeploymentError:
    """Return the error of a catalogue that turns us away."""
    return DeploymentError(
        f"The catalogue at {catalogue.uri} refuses us ({answer.status_code}): set the variable that "
        "nessie_token_env names, or grant the right"
    )


def catalogue_failure(catalogue: Catalogue) -> DualsinkError | None:
    """Return cause and remedy of a failed connection.

    None if neither TLS nor the network has one.
    """
    return _leg("The catalogue", catalogue.uri, catalogue.ca_file, "nessie_uri", "nessie_ca_file").failure()


def _leg(name: str, url: str, ca_file: str, switch: str, ca_parameter: str) -> Leg:
    address = urlsplit(url)
    tls = address.scheme == "https"
    port = address.port or (443 if tls else 80)
    return Leg(name, f"{address.hostname}:{port}", tls, switch, ca_parameter, ca_file)
