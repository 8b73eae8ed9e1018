"""Security of OpenSearch: a cluster as its client's options."""

from typing import Any

import boto3
from opensearchpy import Urllib3AWSV4SignerAuth
from opensearchpy.exceptions import AuthenticationException, AuthorizationException, OpenSearchException, TransportError

from dualsink.errors import DeploymentError, DualsinkError, ServiceUnavailable, SettingsError
from dualsink.opensearch.cluster import Cluster
from dualsink.tls import Leg


def options(cluster: Cluster) -> dict[str, Any]:
    """Return options of opensearch-py: trust, certificate, user or token.

    One identity is used: signed requests if a region is named, else user and password, else the token. Raises
    SettingsError if it is incomplete or would travel in plain text.
    """
    chosen = _login(cluster)
    if not cluster.tls:
        if "headers" in chosen:
            raise SettingsError("A bearer token for OpenSearch needs opensearch_tls: in plain text anybody reads it.")
        return chosen
    files = {"ca_certs": "ca", "client_cert": "cert", "client_key": "key"}
    named = {option: getattr(cluster, f"{kind}_file") for option, kind in files.items()}
    return chosen | {option: file for option, file in named.items() if file}


def _login(cluster: Cluster) -> dict[str, Any]:
    if region := cluster.sigv4_region:
        return {"http_auth": _signer(region)}
    user, password = cluster.user.read(), cluster.password.read()
    if bool(user) != bool(password):
        names = f"{cluster.user.parameter} and {cluster.password.parameter}"
        raise SettingsError(f"OpenSearch needs user and password: set both variables that {names} name.")
    if user and password:
        return {"http_auth": (user, password)}
    token = cluster.token.read()
    return {"headers": {"Authorization": f"Bearer {token}"}} if token else {}


def _signer(region: str) -> Urllib3AWSV4SignerAuth:
    """Return a signer with keys of boto3's own chain.

    The chain renews a role's keys.
    """
    credentials = boto3.Session().get_credentials()
    if credentials is None:
        raise SettingsError("opensearch_sigv4_region: AWS finds no keys, profile or role on this machine.")
    return Urllib3AWSV4SignerAuth(credentials, region)


def explained(cluster: Cluster, error: OpenSearchException) -> DualsinkError:
    """Return cause and remedy of a failure, one line.

    DeploymentError if OpenSearch turns us away or TLS fails, ServiceUnavailable if it is silent.
    """
    where = f"at {cluster.url}"
    if isinstance(error, AuthenticationException):
        return DeploymentError(
            f"OpenSearch refuses us ({error.status_code} {error.error}) {where}: set the variables that "
            "opensearch_user_env and opensearch_password_env name, or grant the right"
        )
    if isinstance(error, AuthorizationException):
        return DeploymentError(f"OpenSearch refuses us ({error.status_code}) {where}: {reason(error)}: grant the right")
    if failure := _leg(cluster).failure(error):
        return failure
    return ServiceUnavailable(f"No OpenSearch answers {where} ({type(error).__name__}).")


def reason(error: TransportError) -> str:
    """Return OpenSearch's reason.

    It names the right that is missing, and on what.
    """
    found = error.info.get("error") if isinstance(error.info, dict) else None
    return str(found.get("reason") if isinstance(found, dict) else found or error.error)


def _leg(cluster: Cluster) -> Leg:
    return Leg(
        "OpenSearch",
        f"{cluster.hosts[0]}:{cluster.port}",
        cluster.tls,
        "opensearch_tls",
        "opensearch_ca_file",
        *(cluster.ca_file, cluster.cert_file, cluster.key_file),
    )
