"""Security of OpenSearch's client: what a server with TLS gets of it, and what a refusal says."""

import hashlib
import json
import re
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from opensearchpy.exceptions import OpenSearchException
from tests.support.secured import Answering, Certificates, listening

from dualsink.errors import DeploymentError, SettingsError
from dualsink.opensearch import index, security
from dualsink.opensearch.cluster import Cluster
from dualsink.settings import Settings

NAMES = ("USER", "PASSWORD", "TOKEN", "KEEPER_USER", "KEEPER_PASSWORD")


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(f"DUALSINK_OPENSEARCH_{name}", raising=False)


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates.make(tmp_path / "tls")


Start = Callable[..., Settings]


@pytest.fixture
def start(certificates: Certificates) -> Iterator[Start]:
    """A server with TLS that answers with the Authorization that it got, or with a refusal: settings for it."""
    with ExitStack() as stack:

        def begin(status: int = 200, reason: str = "", **files: Path) -> Settings:
            class Handler(BaseHTTPRequestHandler):
                def do_GET(self) -> None:  # noqa: N802 - the name that http.server calls
                    error = {"type": "security_exception", "reason": reason}
                    body = json.dumps({"got": self.headers.get("Authorization"), "error": error}).encode()
                    self.send_response(status)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

                def log_message(self, *_: object) -> None:
                    pass

            server = stack.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificates.issue("opensearch", "127.0.0.1"))
            server.socket = context.wrap_socket(server.socket, server_side=True)
            Thread(target=server.serve_forever, daemon=True).start()
            stack.callback(server.shutdown)
            place = {"opensearch_port": server.server_port, "opensearch_tls": True, "servers": "external"}
            return Settings.from_values(place | {"opensearch_ca_file": str(certificates.ca)})

        yield begin


def authorization(settings: Settings) -> str | None:
    with closing(index.connect(Cluster.of(settings), timeout=5)) as client:
        return client.transport.perform_request("GET", "/")["got"]


def refusal(settings: Settings) -> DeploymentError:
    with (
        closing(index.connect(Cluster.of(settings), timeout=5)) as client,
        pytest.raises(OpenSearchException) as refused,
    ):
        client.transport.perform_request("GET", "/")
    error = security.explained(Cluster.of(settings), refused.value)
    assert isinstance(error, DeploymentError) and "\n" not in str(error)
    return error


# -- identities -------------------------------------------------------------------------------------


def test_user_and_password_travel_over_tls(start, monkeypatch):
    monkeypatch.setenv("DUALSINK_OPENSEARCH_USER", "stream")
    monkeypatch.setenv("DUALSINK_OPENSEARCH_PASSWORD", "hidden")
    assert authorization(start()).startswith("Basic ")


def test_a_token_is_read_again_at_the_next_connection(start, monkeypatch, tmp_path):
    file = tmp_path / "token"
    monkeypatch.setenv("DUALSINK_OPENSEARCH_TOKEN_FILE", str(file))
    settings = start()
    for token in ("first", "second"):
        file.write_text(token)
        assert authorization(settings) == f"Bearer {token}"


def test_requests_are_signed_with_the_keys_of_aws(start, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "an-id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden")
    signed = authorization(start().model_copy(update={"opensearch_sigv4_region": "eu-west-1"}))
    assert signed.startswith("AWS4-HMAC-SHA256 Credential=an-id/") and "/eu-west-1/es/" in signed


def test_what_goes_over_the_wire_bears_the_signature_that_aws_would_compute(certificates, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "an-id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden")
    seen = []

    class Handler(Answering):
        def do_POST(self) -> None:  # noqa: N802 - the name that http.server calls
            seen.append((f"https://{self.headers['Host']}{self.path}", dict(self.headers), self.body()))
            self.answer(200, {"errors": False})

    with listening(Handler, *certificates.issue("opensearch", "127.0.0.1")) as address:
        settings = Settings.from_values(
            {
                "servers": "external",
                "opensearch_port": urlsplit(address).port,
                "opensearch_tls": True,
                "opensearch_ca_file": str(certificates.ca),
                "opensearch_sigv4_region": "eu-west-1",
            }
        )
        with closing(index.connect(Cluster.of(settings), timeout=5)) as client:
            client.bulk(body='{"create":{"_index":"ü"}}\n{"message":"m"}\n', params={"filter_path": "errors,items.*"})
    ((url, headers, body),) = seen
    assert headers["Authorization"] == signed(url, headers, body)
    assert headers["Authorization"] != signed(url, headers, body + b" ")


def signed(url: str, headers: dict[str, str], body: bytes) -> str:
    """What AWS computes of a request that it receives: botocore's own signature of what arrived."""
    names = re.search("SignedHeaders=([^,]+)", headers["Authorization"])[1].split(";")
    arrived = {name.lower(): value for name, value in headers.items()}
    arrived["x-amz-content-sha256"] = hashlib.sha256(body).hexdigest()
    request = AWSRequest("POST", url, {name: arrived[name] for name in names if name != "host"}, body)
    request.context["timestamp"] = arrived["x-amz-date"]
    signer = SigV4Auth(Credentials("an-id", "hidden"), "es", "eu-west-1")
    wanted = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    return f"{headers['Authorization'].rpartition('=')[0]}={wanted}"


def test_the_keeper_is_another_user_and_without_one_the_same(start, monkeypatch):
    monkeypatch.setenv("DUALSINK_OPENSEARCH_USER", "stream")
    monkeypatch.setenv("DUALSINK_OPENSEARCH_PASSWORD", "hidden")
    settings = start()
    same = authorization(settings)
    assert authorization(settings.as_keeper()) == same
    monkeypatch.setenv("DUALSINK_OPENSEARCH_KEEPER_USER", "keeper")
    monkeypatch.setenv("DUALSINK_OPENSEARCH_KEEPER_PASSWORD", "hidden too")
    assert authorization(settings) == same != authorization(settings.as_keeper())


def test_a_certificate_of_this_client_is_an_option_of_its_own(certificates):
    certificate, key = certificates.issue("client", "client.example")
    files = {"opensearch_cert_file": str(certificate), "opensearch_key_file": str(key), "opensearch_tls": True}
    options = security.options(Cluster.of(Settings.from_values(files | {"servers": "external"})))
    assert options == {"client_cert": str(certificate), "client_key": str(key)}


def test_a_token_never_travels_in_plain_text(monkeypatch):
    monkeypatch.setenv("DUALSINK_OPENSEARCH_TOKEN", "hidden")
    with pytest.raises(SettingsError, match="needs opensearch_tls"):
        security.options(Cluster.of(Settings.from_values({"servers": "external"})))


# -- refusals ---------------------------------------------------------------------------------------


def test_a_refused_user_is_told_with_the_variables(start):
    assert "refuses us (401 " in str(refusal(start(401)))
    assert "opensearch_password_env" in str(refusal(start(401)))


def test_a_missing_right_is_told_with_what_it_is_on(start):
    reason = "no permissions for [indices:data/write/delete] and User [name=stream]"
    told = str(refusal(start(403, reason)))
    assert "refuses us (403)" in told and reason in told


def test_a_foreign_authority_and_plain_text_are_told(start, tmp_path):
    settings = start()
    foreign = Certificates.make(tmp_path / "foreign")
    told = str(refusal(settings.model_copy(update={"opensearch_ca_file": str(foreign.ca)})))
    assert "from an authority that is not trusted; set opensearch_ca_file" in told
    told = str(refusal(settings.model_copy(update={"opensearch_tls": False})))
    assert "it speaks TLS alone; see opensearch_tls" in told


def test_half_a_login_is_refused_instead_of_asking_as_nobody(monkeypatch):
    monkeypatch.setenv("DUALSINK_OPENSEARCH_USER", "ann")
    with pytest.raises(SettingsError, match="needs user and password: set both variables"):
        security.options(Cluster.of(Settings()))
