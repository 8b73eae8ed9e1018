"""Local Nessie: the catalogue."""

from collections.abc import Mapping
from pathlib import Path

import urllib3

from dualsink.spark.java import Java, Need
from dualsink_workbench.servers import nessie_security
from dualsink_workbench.servers.process import Command, connect
from dualsink_workbench.servers.server import LOOPBACK, Server


class Nessie(Server):
    """The catalog of the archive, kept in RocksDB."""

    name = "nessie"
    need = Need("Nessie", 21, modules=("java.se", "jdk.management", "jdk.unsupported"))
    port_parameter = "nessie_uri"
    secondary = ("management",)
    silence = (urllib3.exceptions.HTTPError, OSError)

    @property
    def endpoint(self) -> str:
        return self.settings.nessie_uri

    def command(self, ports: Mapping[str, int], java: Java | None, jars: Path | None) -> Command:
        runner = next(jars.glob("nessie-quarkus-*-runner.jar"))
        options = {
            "quarkus.http.host": LOOPBACK,
            "quarkus.http.port": self.port,
            "quarkus.management.host": LOOPBACK,
            "quarkus.management.port": ports["management"],
            "quarkus.log.console.color": "false",
            "nessie.version.store.type": "ROCKSDB",
            "nessie.version.store.persist.rocks.database-path": self.folder / "data",
        }
        options |= nessie_security.options(self.settings, self.port) if self.secured else {}
        properties = [f"-D{name}={value}" for name, value in options.items()]
        flags = (*self.classes(java, jars), "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
        return self.started_with(*self.java_command(java, "512m", *flags, *properties), "-jar", str(runner))

    def probe(self) -> None:
        connect(self.port)
        token = self.settings.secret("nessie_token_env") if self.secured else None
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        with urllib3.PoolManager(timeout=3, retries=False, ca_certs=self.settings.nessie_ca_file or None) as pool:
            answer = pool.request("GET", f"{self.settings.nessie_root}/api/v2/config", headers=headers)
        if answer.status != 200:
            raise ConnectionError(f"/api/v2/config answers {answer.status}")
