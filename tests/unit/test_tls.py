"""Causes of a connection that fails, each named in one line."""

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from threading import Thread

import pytest
from tests.support.secured import Certificates

from dualsink import tls
from dualsink.errors import DeploymentError, DualsinkError, ServiceUnavailable, SettingsError
from dualsink_workbench.servers import process

Start = Callable[..., str]


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates.make(tmp_path / "tls")


@pytest.fixture
def start() -> Iterator[Start]:
    """A server that shakes hands, by its certificate or in plain text: its address."""
    with ExitStack() as stack:

        def begin(files: tuple[Path, Path] | None = None, client_ca: Path | None = None) -> str:
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            context = None
            if files:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(*files)
            if client_ca:
                context.verify_mode = ssl.CERT_REQUIRED
                context.load_verify_locations(client_ca)
            Thread(target=serve, args=(listener, context), daemon=True).start()
            return "{}:{}".format(*listener.getsockname())

        yield begin


def serve(listener: socket.socket, context: ssl.SSLContext | None) -> None:
    with suppress(OSError):
        while True:
            connection, _ = listener.accept()
            with suppress(OSError), connection:
                if context:
                    with context.wrap_socket(connection, server_side=True) as secure:
                        secure.recv(1)
                else:
                    connection.recv(1024)
                    connection.sendall(b"what was that?\n")


def objection(address: str, encrypted: bool = True, **files: object) -> str:
    leg = tls.Leg("Kafka", address, encrypted, "switch", "kafka_ca_file", **{k: str(v) for k, v in files.items()})
    text = leg.objection()
    assert "\n" not in text and (not text or text.startswith(f"Kafka at {address}: "))
    return text


def test_a_trusted_server_has_no_objection(start, certificates):
    assert objection(start(certificates.issue("server", "127.0.0.1")), ca_file=certificates.ca) == ""
    assert objection(start(), encrypted=False) == ""


@pytest.mark.parametrize(
    ("hosts", "expired", "cause"),
    [
        (("127.0.0.1",), True, "its certificate has expired; renew it there"),
        (("10.0.0.1",), False, "its certificate is for another address"),
        (("elsewhere.example",), False, "its certificate is for another address"),
    ],
)
def test_an_expired_certificate_and_another_name_are_told(start, certificates, hosts, expired, cause):
    address = start(certificates.issue("server", *hosts, expired=expired))
    assert cause in objection(address, ca_file=certificates.ca)


def test_a_foreign_authority_is_told_with_the_parameter(start, certificates, tmp_path):
    foreign = Certificates.make(tmp_path / "foreign").issue("server", "127.0.0.1")
    told = objection(start(foreign), ca_file=certificates.ca)
    assert "from an authority that is not trusted; set kafka_ca_file to that authority" in told


def test_the_wrong_kind_of_port_is_told_with_what_decides_on_it(start, certificates):
    assert "it speaks no TLS; see switch" in objection(start(), ca_file=certificates.ca)
    encrypted = start(certificates.issue("server", "127.0.0.1"))
    assert "it speaks TLS alone; see switch" in objection(encrypted, encrypted=False)


def test_a_server_that_is_silent_is_no_server_without_tls(monkeypatch):
    monkeypatch.setattr(tls, "TIMEOUT", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        told = objection(f"127.0.0.1:{silent.getsockname()[1]}")
    assert "no answer to TLS within 0.3 s; look at the server, and at switch" in told


def test_a_missing_client_certificate_is_told(start, certificates):
    address = start(certificates.issue("server", "127.0.0.1"), client_ca=certificates.ca)
    assert "turns this client's certificate away" in objection(address, ca_file=certificates.ca)
    certificate, key = certificates.issue("client", "client.example")
    assert objection(address, ca_file=certificates.ca, cert_file=certificate, key_file=key) == ""


def test_a_host_that_is_not_there_is_told():
    (free_port,) = process.free_ports(1)
    assert "nothing listens there; start it" in objection(f"127.0.0.1:{free_port}")
    assert "the name is unknown" in objection("nowhere.invalid:9092")


def test_only_silence_means_that_a_server_is_unavailable(start, certificates):
    def failure(address: str) -> type[DualsinkError]:
        return type(tls.Leg("who listens", address, True, "switch", "ca", str(certificates.ca)).failure())

    (free_port,) = process.free_ports(1)
    assert failure(f"127.0.0.1:{free_port}") is ServiceUnavailable
    assert failure(start(certificates.issue("server", "127.0.0.1", expired=True))) is DeploymentError


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_file_that_cannot_be_used_is_named(tmp_path, content):
    file = tmp_path / "ca.pem"
    if content:
        file.write_text(content)
    with pytest.raises(SettingsError, match=r"Cannot use .*ca\.pem"):
        tls.context(str(file))
