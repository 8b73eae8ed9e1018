"""Local Kafka: a node with broker and controller."""

import base64
import shutil
import subprocess
import uuid
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from dualsink.errors import PlatformError
from dualsink.kafka import security
from dualsink.kafka.brokers import Brokers
from dualsink.spark.java import Java, Need
from dualsink_workbench.servers import credentials, kafka_security, private_file
from dualsink_workbench.servers.process import Command, connect
from dualsink_workbench.servers.server import CONSOLE_LOGGING, LOOPBACK, Server

MIB = 1024 * 1024


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
