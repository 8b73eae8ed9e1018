"""Servers with TLS and users, each on free ports of loopback, and the certificates to try on them."""

import json
import ssl
import subprocess
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import jwt
import trustme
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from dualsink.iceberg.archive import Archive
from dualsink.kafka.security import ALLOWED_TOKEN_URLS
from dualsink.settings import Settings
from dualsink.spark import jars, java, trust
from dualsink_workbench.servers import process
from dualsink_workbench.servers.kafka import Kafka

PASSWORD = "a pass\\word; p=q"
"""What a naive line of JAAS would break at."""
USERS = {"stream": PASSWORD, "admin": "admin-secret"}


@dataclass(frozen=True)
class Certificates:
    """PEM files of one authority, made in a folder: `ca.pem`, and a certificate with its key by name."""

    folder: Path
    authority: trustme.CA

    @classmethod
    def make(cls, folder: Path) -> "Certificates":
        folder.mkdir(parents=True, exist_ok=True)
        made = cls(folder, trustme.CA())
        made.authority.cert_pem.write_to_path(made.ca)
        return made

    @property
    def ca(self) -> Path:
        return self.folder / "ca.pem"

    def issue(self, name: str, *hosts: str, expired: bool = False) -> tuple[Path, Path]:
        """Certificate and key (PKCS#8) for some hosts."""
        end = datetime.now(UTC) - timedelta(days=1) if expired else None
        issued = self.authority.issue_cert(*hosts, common_name=name, not_after=end)
        key = serialization.load_pem_private_key(issued.private_key_pem.bytes(), None)
        form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        certificate, private = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        certificate.write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
        private.write_bytes(key.private_bytes(serialization.Encoding.PEM, *form))
        return certificate, private


@contextmanager
def listening(handler: type[BaseHTTPRequestHandler], certificate: Path, key: Path) -> Iterator[str]:
    """An HTTPS server on a free port of loopback, in this process: its address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"https://127.0.0.1:{server.server_port}"
        server.shutdown()


class Answering(BaseHTTPRequestHandler):
    """Answers of JSON, said to nobody."""

    protocol_version = "HTTP/1.1"

    def answer(self, status: int, content: object) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            return b"".join(self.chunks())
        return self.rfile.read(int(self.headers["Content-Length"]))

    def chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline(), 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def log_message(self, *_: object) -> None:
        pass


@dataclass
class Issuer:
    """An OAuth2 issuer: tokens for clients that know `PASSWORD`, by client credentials, and the keys that verify them.

    Tokens say who issued them and for whom, and are signed with `signing`, which a test may exchange for a key that
    nobody publishes.
    """

    name: str = "tests"
    audience: str = "kafka"
    url: str = ""
    signing: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))
    given: int = 0

    @property
    def token_url(self) -> str:
        return f"{self.url}/token"

    @property
    def keys_url(self) -> str:
        return f"{self.url}/keys"


@contextmanager
def issuer(made: Issuer, certificate: Path, key: Path) -> Iterator[Issuer]:
    """An issuer that listens."""
    public = jwt.algorithms.RSAAlgorithm.to_jwk(made.signing.public_key(), as_dict=True)
    published = {"keys": [public | {"kid": "one", "alg": "RS256", "use": "sig"}]}
    known = {f"Basic {b64encode(f'{user}:{PASSWORD}'.encode()).decode()}": user for user in USERS}

    class Handler(Answering):
        def do_GET(self) -> None:  # noqa: N802 - the name that http.server calls
            self.answer(200, published)

        def do_POST(self) -> None:  # noqa: N802
            self.body()
            user = known.get(self.headers["Authorization"])
            if not user:
                return self.answer(401, {"error": "invalid_client"})
            made.given += 1
            now = datetime.now(UTC)
            claims = {"sub": user, "aud": made.audience, "iss": made.name}
            claims |= {"iat": now, "exp": now + timedelta(minutes=5)}
            token = jwt.encode(claims, made.signing, "RS256", {"kid": "one"})
            self.answer(200, {"access_token": token, "token_type": "Bearer", "expires_in": 300})

    with listening(Handler, certificate, key) as made.url:
        yield made


@contextmanager
def kafka(folder: Path, certificate: Path, key: Path, client_ca: Path, keys_url: str = "") -> Iterator[dict[str, str]]:
    """A broker that speaks SASL_SSL (SCRAM-SHA-512, PLAIN), mutual TLS and plain text: address by protocol.

    With `keys_url`, an issuer's, it takes that one's tokens too.
    """
    folder.mkdir(parents=True, exist_ok=True)
    ports = dict(zip(("SASL_SSL", "SSL", "PLAINTEXT", "CONTROLLER"), process.free_ports(4), strict=True))
    properties = folder / "server.properties"
    lines = _kafka_properties(folder, ports, certificate, key, client_ca)
    lines |= _of_tokens(keys_url) if keys_url else {}
    properties.write_text("".join(f"{name}={value}\n" for name, value in lines.items()), encoding="utf-8")
    trusted = trust.java_options(Archive.of(Settings.from_values({"nessie_ca_file": str(client_ca)})), folder)
    options = ["-Xmx512m", "-XX:+UseSerialGC", f"-D{ALLOWED_TOKEN_URLS}={keys_url}", *trusted]
    command = [java.find(Kafka.need).executable, *options, "-cp", f"{jars.fetch('kafka')}/*"]
    scram = [f"SCRAM-SHA-512=[name={user},password={secret}]" for user, secret in USERS.items()]
    added = [word for each in scram for word in ("--add-scram", each)]
    arguments = ["kafka.tools.StorageTool", "format", "-t", "MkU3OEVBNTcwNTJENDM2Qg", "-c", properties, *added]
    subprocess.run([*command, *arguments], check=True, capture_output=True)
    with _running([*command, "kafka.Kafka", properties], folder / "kafka.log", ports["PLAINTEXT"]):
        yield {protocol: f"127.0.0.1:{port}" for protocol, port in ports.items()}


def _escaped(secret: str) -> str:
    return '"' + secret.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _kafka_properties(folder: Path, ports: dict[str, int], certificate: Path, key: Path, ca: Path) -> dict[str, object]:
    store = folder / "server-both.pem"
    store.write_bytes(key.read_bytes() + certificate.read_bytes())
    addresses = {name: f"{name}://127.0.0.1:{port}" for name, port in ports.items()}
    plain = " ".join(f"user_{user}={_escaped(secret)}" for user, secret in USERS.items())
    sasl = "listener.name.sasl_ssl"
    return {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@127.0.0.1:{ports['CONTROLLER']}",
        "listeners": ",".join(addresses.values()),
        "advertised.listeners": ",".join(address for name, address in addresses.items() if name != "CONTROLLER"),
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_SSL:SASL_SSL",
        "log.dirs": folder / "data",
        "offsets.topic.replication.factor": 1,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": store,
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": ca,
        "listener.name.ssl.ssl.client.auth": "required",
        "sasl.enabled.mechanisms": "SCRAM-SHA-512,PLAIN",
        f"{sasl}.scram-sha-512.sasl.jaas.config": "org.apache.kafka.common.security.scram.ScramLoginModule required;",
        f"{sasl}.plain.sasl.jaas.config": "org.apache.kafka.common.security.plain.PlainLoginModule required "
        + plain.replace("\\", "\\\\") + ";",
    }  # fmt: skip


def _of_tokens(keys_url: str) -> dict[str, object]:
    oauth, place = "org.apache.kafka.common.security.oauthbearer", "listener.name.sasl_ssl.oauthbearer"
    return {
        "sasl.enabled.mechanisms": "SCRAM-SHA-512,PLAIN,OAUTHBEARER",
        f"{place}.sasl.jaas.config": f"{oauth}.OAuthBearerLoginModule required;",
        f"{place}.sasl.server.callback.handler.class": f"{oauth}.OAuthBearerValidatorCallbackHandler",
        f"{place}.sasl.oauthbearer.jwks.endpoint.url": keys_url,
        f"{place}.sasl.oauthbearer.expected.audience": "kafka",
        f"{place}.sasl.oauthbearer.expected.issuer": "tests",
    }


@contextmanager
def _running(command: list[object], log: Path, port: int, seconds: float = 90) -> Iterator[None]:
    with log.open("wb") as out:
        server = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    try:
        end = time.monotonic() + seconds
        while process.is_free(port):
            if server.poll() is not None or time.monotonic() > end:
                raise RuntimeError(log.read_text(encoding="utf-8", errors="replace")[-2000:])
            time.sleep(0.2)
        yield
    finally:
        server.terminate()
        server.wait(30)
