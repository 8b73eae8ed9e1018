"""Servers with TLS and users, each on free ports of loopback, and the certificates to try on them."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme
from cryptography.hazmat.primitives import serialization

from dualsink.spark import jars, java
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
def kafka(folder: Path, certificate: Path, key: Path, client_ca: Path) -> Iterator[dict[str, str]]:
    """A broker that speaks SASL_SSL (SCRAM-SHA-512, PLAIN), mutual TLS and plain text: address by protocol."""
    folder.mkdir(parents=True, exist_ok=True)
    ports = dict(zip(("SASL_SSL", "SSL", "PLAINTEXT", "CONTROLLER"), process.free_ports(4), strict=True))
    properties = folder / "server.properties"
    lines = _kafka_properties(folder, ports, certificate, key, client_ca)
    properties.write_text("".join(f"{name}={value}\n" for name, value in lines.items()), encoding="utf-8")
    command = [java.find(Kafka.need).executable, "-Xmx512m", "-XX:+UseSerialGC", "-cp", f"{jars.fetch('kafka')}/*"]
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
