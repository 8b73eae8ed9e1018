"""Local Trino: SQL over the archive."""

import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path

import urllib3

from dualsink.iceberg.archive import Archive
from dualsink.spark import trust
from dualsink.spark.java import VECTORS, Java, Need, openjdk
from dualsink_workbench.servers import trino_security
from dualsink_workbench.servers.process import Command, connect
from dualsink_workbench.servers.server import LOOPBACK, Server


class Trino(Server):
    """Trino server: SQL over the archive, read only.

    Optional: it is large and needs a JDK 24.
    """

    name = "trino"
    need = Need("Trino", 24, modules=(VECTORS,), offer=openjdk(25))
    port_parameter = "trino_uri"
    optional = True
    secondary = ("internal",)
    silence = (urllib3.exceptions.HTTPError, OSError, ValueError)

    @property
    def endpoint(self) -> str:
        return self.settings.trino_uri

    def prepare(self, ports: Mapping[str, int], java: Java | None, jars: Path | None) -> None:
        super().prepare(ports, java, jars)
        catalog = f"catalog/{self.settings.catalog_name}.properties"
        options = self._options()
        if self.secured:
            options |= trino_security.options(self.settings, self.port, ports)
            trino_security.prepare(self.settings, self.folder)
        for name, values in {"config.properties": options, catalog: self._catalog()}.items():
            (self.folder / name).parent.mkdir(exist_ok=True)
            lines = [f"{key}={value}" for key, value in values.items()]
            (self.folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
        shutil.rmtree(self.folder / "plugin", ignore_errors=True)
        (self.folder / "plugin").mkdir()
        (self.folder / "plugin" / "iceberg").symlink_to(next(jars.glob("trino-iceberg-*")))

    def command(self, ports: Mapping[str, int], java: Java | None, jars: Path | None) -> Command:
        node = {"environment": "dualsink", "id": self.settings.environment, "data-dir": self.folder / "data"}
        node |= {"bind-ip": LOOPBACK, "internal-address": LOOPBACK}
        properties = [f"-Dnode.{name}={value}" for name, value in node.items()]
        flags = (
            "-XX:+UseG1GC",
            "-XX:TieredStopAtLevel=1",
            "-XX:ReservedCodeCacheSize=240m",
            f"--add-modules={VECTORS}",
        )
        flags += trust.java_options(Archive.of(self.settings), self.folder)
        core = next(jars.glob("trino-server-core-*"))
        program = ("-Dconfig=config.properties", "-cp", f"{core}/lib/*", "io.trino.server.TrinoServer")
        keys = {name: self.settings.secret(f"s3_{name}_key_env") for name in ("access", "secret")}
        variables = {f"TRINO_S3_{name.upper()}_KEY": value for name, value in keys.items()}
        variables |= {"TRINO_NESSIE_TOKEN": self._token} if self._token else {}
        variables |= {trino_security.SHARED_SECRET: secrets.token_urlsafe(64)} if self.secured else {}
        return self.started_with(*self.java_command(java, "1g", *flags, *properties, *program), **variables)

    def probe(self) -> None:
        connect(self.port)
        with urllib3.PoolManager(timeout=3, retries=False, ca_certs=self.settings.trino_ca_file or None) as pool:
            answer = pool.request("GET", f"{self.endpoint}/v1/info")
        if answer.status != 200 or answer.json()["starting"]:
            raise ConnectionError(f"/v1/info answers {answer.status}, it is still starting")

    @property
    def _token(self) -> str | None:
        return self.settings.secret("nessie_token_env")

    def _options(self) -> dict[str, object]:
        return {
            "coordinator": "true",
            "node-scheduler.include-coordinator": "true",
            "http-server.http.port": self.port,
            "discovery.uri": f"http://{LOOPBACK}:{self.port}",
            "catalog.management": "static",
            "catalog.config-dir": "catalog",
            "plugin.dir": "plugin",
            "query.max-memory": "400MB",
            "query.max-memory-per-node": "400MB",
        }

    def _catalog(self) -> dict[str, object]:
        """Return the catalogue's properties.

        As on the platform; the keys stay in the environment.
        """
        nessie = "iceberg.nessie-catalog"
        login = {"type": "BEARER", "token": "${ENV:TRINO_NESSIE_TOKEN}"} if self._token else {}
        return {f"{nessie}.authentication.{name}": value for name, value in login.items()} | {
            "connector.name": "iceberg",
            "iceberg.security": "READ_ONLY",
            "iceberg.catalog.type": "nessie",
            f"{nessie}.uri": self.settings.nessie_uri,
            f"{nessie}.ref": self.settings.nessie_ref,
            f"{nessie}.default-warehouse-dir": self.settings.warehouse,
            "fs.native-s3.enabled": "true",
            "s3.endpoint": self.settings.s3_endpoint,
            "s3.region": self.settings.s3_region,
            "s3.path-style-access": "true",
            "s3.aws-access-key": "${ENV:TRINO_S3_ACCESS_KEY}",
            "s3.aws-secret-key": "${ENV:TRINO_S3_SECRET_KEY}",
        }
