"""Local stack: Kafka, OpenSearch, Nessie, S3 and optional Trino.

They are started side by side, on loopback.
"""

import json
import secrets
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from filelock import FileLock

from dualsink import polling
from dualsink.errors import PlatformError, SettingsError
from dualsink.files import write_atomically
from dualsink.local_servers import Record
from dualsink.settings import Settings, project_root
from dualsink.spark import jars as artifacts
from dualsink.spark import java
from dualsink_workbench.servers import certificates, credentials, process
from dualsink_workbench.servers.definitions import servers
from dualsink_workbench.servers.opensearch import OpenSearch
from dualsink_workbench.servers.server import Server, Stuck, notice

LEAST_FREE_MB = 1024
START_TIMEOUT = 180
SILENCE = 5
"""Seconds after which a start that goes on says so."""


@dataclass(frozen=True)
class ServerStatus:
    """Status of one server.

    `java` and its reason are empty if none runs it. An `optional` one is started only where it is asked for.
    """

    name: str
    running: bool
    healthy: bool
    pid: int | None
    endpoint: str
    data_dir: Path
    log_file: Path
    java: str
    java_reason: str
    optional: bool


class LocalServers:
    """The servers of one data folder. `say` receives progress lines."""

    def __init__(self, settings: Settings, say: Callable[[str], None] = print):
        self.settings = settings
        self.say = say
        self._servers = servers(settings)
        self._state = State(settings.servers_file)
        self._children: list[subprocess.Popen] = []

    def up(self, extra: Iterable[str] = ()) -> list[str]:
        """Start what does not run; wait until all are healthy.

        Returns the names that were started. `extra` names optional servers that are requested too. On any failure what
        this call started is stopped again. Raises PlatformError (a taken port, a full disk, no Java, a server that
        ended) or SettingsError (addresses that are not this machine's).
        """
        usual = [name for name, server in self._servers.items() if not server.optional]
        return self._bring_up([*usual, *(name for name in extra if name not in usual)])

    def down(self, names: Iterable[str] | None = None) -> None:
        """End servers, all of them by default.

        Only processes that `up` or `start` recorded.
        """
        with self._locked():
            self._end(list(self._servers if names is None else names))

    def start(self, name: str) -> None:
        """Start one server on its former ports; wait for health."""
        self._bring_up([name])

    def stop(self, name: str, kill: bool = False) -> None:
        """End one server.

        With `kill` it ends at once, as in a power cut.
        """
        with self._locked():
            self._end([name], kill)

    def status(self) -> list[ServerStatus]:
        """Return the state of each server, asked now."""
        with ThreadPoolExecutor(len(self._servers)) as pool:
            return list(pool.map(self._status_of, self._servers.values()))

    def javas(self) -> dict[str, dict[str, str]]:
        """Return the Java of each server and its reason.

        As `java` and `java_reason`: why it and no other was taken.
        """
        entries = {name: self._state.get(name) for name in self._servers if self._record(name)}
        fields = ("java", "java_reason")
        return {name: {f: entry.get(f, "") for f in fields} for name, entry in entries.items() if entry.get("java")}

    def clean(self) -> None:
        """Remove the data folder.

        Raises PlatformError while servers run, or if the folder is not ours.
        """
        folder = self.settings.data_path
        if not folder.exists():
            return
        with self._locked():
            running = [name for name in self._servers if self._record(name)]
            if running:
                raise PlatformError(f"{', '.join(running)} still run on {folder}: stop the servers first.")
            if not self._state.file.is_file() or _holds_more_than_data(folder):
                raise PlatformError(f"{folder} is not a data folder of local servers alone: remove it by hand.")
            shutil.rmtree(folder)

    # -- starting ----------------------------------------------------------------------------------

    def _bring_up(self, names: list[str]) -> list[str]:
        if self.settings.servers != "local":
            raise SettingsError("servers is external: this environment's servers are not started from here.")
        wanted = [self._server(name) for name in names]
        self.settings.data_path.mkdir(parents=True, exist_ok=True)
        with self._locked():
            credentials.ensure(self.settings)
            missing = [server for server in wanted if not self._runs_as_set(server)]
            self._start(missing, wanted)
            return [server.name for server in missing]

    def _start(self, missing: list[Server], requested: list[Server]) -> None:
        """Check, fetch, start side by side, and wait for health."""
        try:
            if missing:
                self._check(missing)
                with ThreadPoolExecutor(len(missing)) as pool:
                    means = list(pool.map(self._means, missing))
                    list(pool.map(self._launch, missing, means))
            self._await(requested)
        except BaseException as error:
            if missing and isinstance(error, (KeyboardInterrupt, SystemExit)):
                self.say(f"Stopping {', '.join(server.name for server in missing)}, which takes some seconds.")
            self._end([server.name for server in missing])
            raise

    def _check(self, missing: list[Server]) -> None:
        for server in missing:
            _check_port(server)
        _check_disk(self.settings.data_path)

    def _means(self, server: Server) -> tuple[java.Java | None, Path | None]:
        """Return Java and jars of a server, fetched if needed."""
        if not server.need:
            return None, None
        found = java.find(server.need)
        self.say(f"{server.name}: {found}; {found.reason}")
        folders = [artifacts.fetch(name, self.say) for name in server.artifacts]
        return found, folders[0]

    def _launch(self, server: Server, means: tuple[java.Java | None, Path | None]) -> None:
        ports, found = self._ports(server), means[0]
        server.prepare(ports, *means)
        about = {"ports": ports, "endpoint": server.endpoint, "mark": secrets.token_hex(8)}
        about |= {"java": str(found or ""), "java_reason": found.reason if found else ""}
        # Before the start as well: should this process be killed in between, the next one finds the server by its mark.
        self._state.put(server.name, about)
        record, child = process.launch(server.command(ports, *means), server.log, about["mark"])
        self._state.put(server.name, asdict(record) | about)
        self._children.append(child)

    def _await(self, requested: list[Server]) -> None:
        start, waiting = time.monotonic(), {server: "" for server in requested}
        said = start

        def all_healthy() -> bool:
            nonlocal said
            for server in list(waiting):
                said = self._look_at(server, waiting, start) or said
            if waiting and time.monotonic() - said > SILENCE:
                said = time.monotonic()
                self.say(f"waiting for {', '.join(server.name for server in waiting)} ({said - start:.0f} s)")
            return not waiting

        if not polling.until(all_healthy, START_TIMEOUT, every=0.1):
            late = f"gave no healthy answer in {START_TIMEOUT} s"
            raise PlatformError(
                "\n".join(notice(server.name, server.log, f"{late}: {why}") for server, why in waiting.items())
            )

    def _look_at(self, server: Server, waiting: dict[Server, str], start: float) -> float | None:
        """Return when a server was found healthy, if it was."""
        if not self._record(server.name):
            raise PlatformError(notice(server.name, server.log, f"ended while it was starting{self._taken(server)}"))
        try:
            waiting[server] = server.problem(furnish=True)
        except Stuck as error:
            raise PlatformError(notice(server.name, server.log, f"cannot become healthy: {error}")) from None
        if waiting[server]:
            return None
        del waiting[server]
        now = time.monotonic()
        self.say(f"{server.name}: up at {server.endpoint} after {now - start:.1f} s")
        return now

    def _taken(self, server: Server) -> str:
        """Name who holds a port of an ended server.

        Not every server's log does.
        """
        ports = [server.port, *self._state.get(server.name).get("ports", {}).values()]
        held = [f"; its port {port} is held by {process.holder(port)}" for port in ports if not process.is_free(port)]
        return "".join(held)

    def _ports(self, server: Server) -> dict[str, int]:
        """Return secondary ports: the former ones if still free."""
        ports = dict(zip(server.secondary, process.free_ports(len(server.secondary)), strict=True))
        known = self._state.get(server.name).get("ports", {})
        return ports | {name: port for name, port in known.items() if name in ports and process.is_free(port)}

    # -- state -------------------------------------------------------------------------------------

    def _server(self, name: str) -> Server:
        if name not in self._servers:
            raise SettingsError(f"No local server {name!r}: there are {', '.join(self._servers)}.")
        return self._servers[name]

    def _end(self, names: list[str], kill: bool = False) -> None:
        with ThreadPoolExecutor(len(self._servers)) as pool:
            list(pool.map(lambda name: self._end_one(self._server(name), kill), names))

    def _end_one(self, server: Server, kill: bool) -> None:
        record, ports = self._record(server.name), self._state.get(server.name).get("ports", {})
        if record:
            process.end(record, kill, server.stop_timeout)
        server.tidy(ports)
        self._state.put(server.name, {"ports": ports})

    def _record(self, name: str) -> Record | None:
        """Return the recorded process of a server while it lives."""
        entry = self._state.get(name)
        if "started" in entry:
            record = Record(entry["pid"], entry["started"])
            return record if record.process() else None
        return process.find(entry["mark"]) if "mark" in entry else None

    def _runs_as_set(self, server: Server) -> bool:
        if not self._record(server.name):
            return False
        running = self._state.get(server.name)["endpoint"]
        if running != server.endpoint:
            raise PlatformError(
                f"{server.name} of {self.settings.data_path} runs at {running}, the settings say {server.endpoint}: "
                "stop the servers first, or set the address back."
            )
        return True

    def _status_of(self, server: Server) -> ServerStatus:
        record, entry = self._record(server.name), self._state.get(server.name)
        return ServerStatus(
            name=server.name,
            running=record is not None,
            healthy=record is not None and _is_healthy(server),
            pid=record.pid if record else None,
            endpoint=entry.get("endpoint", "") if record else server.endpoint,
            data_dir=server.folder,
            log_file=server.log,
            java=entry.get("java", "") if record else "",
            java_reason=entry.get("java_reason", "") if record else "",
            optional=server.optional,
        )

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Lock the data folder across processes."""
        if not self.settings.data_path.exists():
            yield
            return
        with FileLock(self.settings.data_path / ".servers.lock"):
            yield


class State:
    """State of the servers by name, in a JSON file."""

    def __init__(self, file: Path):
        self.file = file
        self._lock = threading.Lock()

    def get(self, name: str) -> dict[str, Any]:
        """Return the entry of a server, empty if unknown."""
        return self._all().get(name, {})

    def put(self, name: str, entry: dict[str, Any]) -> None:
        """Replace the entry of a server."""
        if not self.file.parent.exists():
            return
        with self._lock:
            write_atomically(self.file, json.dumps(self._all() | {name: entry}, indent=2).encode())

    def _all(self) -> dict[str, Any]:
        return json.loads(self.file.read_text(encoding="utf-8")) if self.file.is_file() else {}


def free_settings(base: Settings, data_dir: Path) -> dict[str, Any]:
    """Return parameters for a private data folder and free ports."""
    kafka, nessie, s3, trino = process.free_ports(4)
    (opensearch,) = process.free_ports(1, OpenSearch.highest_port - 4_000, OpenSearch.highest_port + 1)
    path = base.nessie_uri.removeprefix(base.nessie_root)
    return {
        "data_dir": str(data_dir),
        "servers": "local",
        "kafka_bootstrap_servers": f"127.0.0.1:{kafka}",
        "opensearch_host": "127.0.0.1",
        "opensearch_port": opensearch,
        "nessie_uri": f"{urlsplit(base.nessie_uri).scheme}://127.0.0.1:{nessie}{path}",
        "s3_endpoint": f"{urlsplit(base.s3_endpoint).scheme}://127.0.0.1:{s3}",
        "trino_uri": f"{urlsplit(base.trino_uri).scheme}://127.0.0.1:{trino}",
        **{f"{server}_ca_file": str(data_dir / "tls" / certificates.AUTHORITY) for server in base.secured_servers},
    }


def _is_healthy(server: Server) -> bool:
    try:
        return not server.problem()
    except Stuck:
        return False


def _check_port(server: Server) -> None:
    port = server.port
    if not process.is_free(port):
        other = server.endpoint.replace(str(port), str(port + 1))
        if server.port_parameter == "opensearch_port":
            other = str(port + 1 if port < OpenSearch.highest_port else port - 1)
        raise PlatformError(
            f"{server.name} needs port {port}, which {process.holder(port)} holds. "
            f"Stop it, or choose another port with -p {server.port_parameter} {other}"
        )


def _check_disk(folder: Path) -> None:
    free = shutil.disk_usage(folder).free // 2**20
    if free < LEAST_FREE_MB:
        raise PlatformError(f"The local servers need {LEAST_FREE_MB} MB of free disk, {folder} has {free} MB.")


def _holds_more_than_data(folder: Path) -> bool:
    precious = [Path.home(), Path.cwd(), project_root()]
    return any(folder == place or folder in place.parents for place in precious)
