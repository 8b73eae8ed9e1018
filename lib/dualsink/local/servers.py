"""The local stack: Kafka, OpenSearch, Nessie, S3, if wanted Trino, on loopback, started side by side and ended."""

import fcntl
import json
import os
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

from dualsink.errors import PlatformError, SettingsError
from dualsink.local import jars as artifacts
from dualsink.local import java, process
from dualsink.local.credentials import export_credentials
from dualsink.local.definitions import OpenSearch, servers
from dualsink.local.server import Server, death_notice
from dualsink.settings import Settings, project_root

__all__ = ["LocalServers", "ServerStatus", "export_credentials", "free_settings"]

LEAST_FREE_MB = 1024
PATIENCE = 180


@dataclass(frozen=True)
class ServerStatus:
    """What `LocalServers.status` tells of one server. `java` is empty where none runs it.

    An `optional` one is started only where it is asked for.
    """

    name: str
    running: bool
    healthy: bool
    pid: int | None
    endpoint: str
    data_dir: Path
    log_file: Path
    java: str
    optional: bool


class LocalServers:
    """The servers of one data folder. `say` receives progress lines."""

    def __init__(self, settings: Settings, say: Callable[[str], None] = print):
        self.settings = settings
        self.say = say
        self._servers = servers(settings)
        self._state = State(settings.data_path / "servers.json")
        self._children: list[subprocess.Popen] = []

    def up(self, extra: Iterable[str] = ()) -> list[str]:
        """Start what does not run, wait until all are healthy, and return the names that were started.

        `extra` names optional servers that are wanted too.
        On any failure what this call started is stopped again. Raises PlatformError (a taken port, a full disk,
        no Java, a server that ended) or SettingsError (addresses that are not this machine's).
        """
        usual = [name for name, server in self._servers.items() if not server.optional]
        return self._bring_up([*usual, *(name for name in extra if name not in usual)])

    def down(self, names: Iterable[str] | None = None) -> None:
        """End servers, all of them by default; only processes that `up` or `start` recorded."""
        with self._locked():
            self._end(list(self._servers if names is None else names))

    def start(self, name: str) -> None:
        """Start one server on the ports it had before and wait until it is healthy."""
        self._bring_up([name])

    def stop(self, name: str, kill: bool = False) -> None:
        """End one server; with `kill` at once, as a power cut would."""
        with self._locked():
            self._end([name], kill)

    def status(self) -> list[ServerStatus]:
        """The state of each server, asked now."""
        if self._state.file.exists():
            export_credentials(self.settings)
        with ThreadPoolExecutor(len(self._servers)) as pool:
            return list(pool.map(self._status_of, self._servers.values()))

    def clean(self) -> None:
        """Remove the data folder. Raises PlatformError while servers run, or where the folder is not ours."""
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
            export_credentials(self.settings)
            missing = [server for server in wanted if not self._runs_as_set(server)]
            self._start(missing, wanted)
            return [server.name for server in missing]

    def _start(self, missing: list[Server], wanted: list[Server]) -> None:
        """Check what is cheap to check, fetch, start side by side, wait until all that is wanted is healthy."""
        try:
            if missing:
                self._check(missing)
                with ThreadPoolExecutor(len(missing)) as pool:
                    means = list(pool.map(self._means, missing))
                    list(pool.map(self._launch, missing, means))
            self._await(wanted)
        except BaseException:
            self._end([server.name for server in missing])
            raise

    def _check(self, missing: list[Server]) -> None:
        for server in missing:
            _check_port(server)
        _check_disk(self.settings.data_path)

    def _means(self, server: Server) -> tuple[java.Java | None, Path | None]:
        """The Java and the jars of a server, fetched if need be."""
        if not server.needs_java:
            return None, None
        return java.find(server.name), artifacts.fetch(server.name, self.say)

    def _launch(self, server: Server, means: tuple[java.Java | None, Path | None]) -> None:
        ports = self._ports(server)
        server.prepare(ports, *means)
        about = {"ports": ports, "endpoint": server.endpoint, "java": str(means[0] or ""), "mark": secrets.token_hex(8)}
        # Before the start as well: should this process be killed in between, the next one finds the server by its mark.
        self._state.put(server.name, about)
        record, child = process.launch(server.command(ports, *means), server.log, about["mark"])
        self._state.put(server.name, asdict(record) | about)
        self._children.append(child)

    def _await(self, wanted: list[Server]) -> None:
        began, waiting = time.monotonic(), {server: "" for server in wanted}
        while waiting:
            for server in list(waiting):
                self._look_at(server, waiting, began)
            if time.monotonic() - began > PATIENCE:
                reasons = "\n".join(f"  {server.name}: {why} (log: {server.log})" for server, why in waiting.items())
                raise PlatformError(f"No healthy answer within {PATIENCE} s from:\n{reasons}")
            time.sleep(0.1 if waiting else 0)

    def _look_at(self, server: Server, waiting: dict[Server, str], began: float) -> None:
        if not self._record(server.name):
            raise PlatformError(death_notice(server))
        waiting[server] = server.problem(furnish=True)
        if not waiting[server]:
            del waiting[server]
            self.say(f"{server.name}: up at {server.endpoint} after {time.monotonic() - began:.1f} s")

    def _ports(self, server: Server) -> dict[str, int]:
        """Secondary ports: those of the last time where they are still free, others where not."""
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
            process.end(record, kill, server.patience)
        server.tidy(ports)
        self._state.put(server.name, {"ports": ports})

    def _record(self, name: str) -> process.Record | None:
        """The recorded process of a server while it lives."""
        entry = self._state.get(name)
        if "started" in entry:
            record = process.Record(entry["pid"], entry["started"])
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
            healthy=record is not None and not server.problem(),
            pid=record.pid if record else None,
            endpoint=entry.get("endpoint", "") if record else server.endpoint,
            data_dir=server.folder,
            log_file=server.log,
            java=entry.get("java", "") if record else "",
            optional=server.optional,
        )

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One at a time per data folder, across processes."""
        if not self.settings.data_path.exists():
            yield
            return
        with (self.settings.data_path / ".servers.lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield


class State:
    """What was started, by server name, in a JSON file that is always whole."""

    def __init__(self, file: Path):
        self.file = file
        self._lock = threading.Lock()

    def get(self, name: str) -> dict[str, Any]:
        """The entry of a server, empty where there is none."""
        return self._all().get(name, {})

    def put(self, name: str, entry: dict[str, Any]) -> None:
        """Replace the entry of a server."""
        if not self.file.parent.exists():
            return
        with self._lock:
            draft = self.file.with_suffix(".draft")
            draft.write_text(json.dumps(self._all() | {name: entry}, indent=2), encoding="utf-8")
            os.replace(draft, self.file)

    def _all(self) -> dict[str, Any]:
        return json.loads(self.file.read_text(encoding="utf-8")) if self.file.is_file() else {}


def free_settings(base: Settings, data_dir: Path) -> dict[str, Any]:
    """Parameter overrides that give a test session its own data folder and free ports."""
    kafka, nessie, s3, trino = process.free_ports(4)
    (opensearch,) = process.free_ports(1, 9201, OpenSearch.highest_port + 1)
    path = base.nessie_uri.removeprefix(base.nessie_root)
    return {
        "data_dir": str(data_dir),
        "servers": "local",
        "kafka_bootstrap_servers": f"127.0.0.1:{kafka}",
        "opensearch_host": "127.0.0.1",
        "opensearch_port": opensearch,
        "nessie_uri": f"http://127.0.0.1:{nessie}{path}",
        "s3_endpoint": f"http://127.0.0.1:{s3}",
        "trino_uri": f"http://127.0.0.1:{trino}",
    }


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
