"""The local stack: Kafka, OpenSearch, Nessie and S3 on loopback, started side by side and ended by whoever asks."""

import fcntl
import json
import os
import shutil
import subprocess
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
from dualsink.local.definitions import OpenSearch, Server, death_notice, servers
from dualsink.settings import Settings, project_root

__all__ = ["LocalServers", "ServerStatus", "export_credentials", "free_settings"]

LEAST_FREE_MB = 1024
PATIENCE = 180


@dataclass(frozen=True)
class ServerStatus:
    """What `LocalServers.status` tells of one server. `java` is empty where none runs it."""

    name: str
    running: bool
    healthy: bool
    pid: int | None
    endpoint: str
    data_dir: Path
    log_file: Path
    java: str


class LocalServers:
    """The four servers of one data folder. `say` receives progress lines."""

    def __init__(self, settings: Settings, say: Callable[[str], None] = print):
        self.settings = settings
        self.say = say
        self._servers = servers(settings)
        self._state = State(settings.data_path / "servers.json")
        self._children: list[subprocess.Popen] = []

    def up(self) -> list[str]:
        """Start what does not run, wait until all are healthy, and return the names that were started.

        On any failure what this call started is stopped again. Raises PlatformError (a taken port, a full disk,
        no Java, a server that ended) or SettingsError (addresses that are not this machine's).
        """
        with self._session():
            missing = [name for name in self._servers if not self._record(name)]
            self._start(missing)
            return missing

    def down(self, names: Iterable[str] | None = None) -> None:
        """End servers, all of them by default; only processes that `up` or `start` recorded."""
        with self._locked():
            self._end(list(self._servers if names is None else names))

    def start(self, name: str) -> None:
        """Start one server on the ports it had before and wait until it is healthy."""
        with self._session():
            if not self._record(name):
                self._start([name])

    def stop(self, name: str, kill: bool = False) -> None:
        """End one server; `kill` spares it nothing, as a power cut would."""
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
                raise PlatformError(f"{folder} is not a data folder of local servers: remove it by hand if you mean it.")
            shutil.rmtree(folder)

    # -- starting ----------------------------------------------------------------------------------

    def _start(self, names: list[str]) -> None:
        """Check everything that is cheap to check, fetch, start side by side, wait for all."""
        export_credentials(self.settings)
        if not names:
            return
        chosen = [self._servers[name] for name in names]
        for server in chosen:
            _check_port(server)
        _check_disk(self.settings.data_path)
        with ThreadPoolExecutor(len(chosen)) as pool:
            javas = dict(zip(names, pool.map(_java_for, chosen), strict=True))
            jars = dict(zip(names, pool.map(self._jars_for, chosen), strict=True))
        try:
            with ThreadPoolExecutor(len(chosen)) as pool:
                list(pool.map(lambda server: self._launch(server, javas[server.name], jars[server.name]), chosen))
            self._await(chosen)
        except BaseException:
            self._end(names)
            raise

    def _jars_for(self, server: Server) -> Path | None:
        return artifacts.fetch(server.name, self.say) if server.needs_java else None

    def _launch(self, server: Server, chosen: java.Java | None, jars: Path | None) -> None:
        ports = self._ports(server)
        server.empty_temporary()
        server.prepare(ports, chosen, jars)
        record, child = process.launch(server.command(ports, chosen, jars), server.log, str(chosen or ""))
        self._children.append(child)
        self._state.put(server.name, asdict(record) | {"ports": ports})

    def _await(self, waiting: list[Server]) -> None:
        began, waiting = time.monotonic(), list(waiting)
        while waiting:
            for server in list(waiting):
                if not self._record(server.name):
                    raise PlatformError(death_notice(server))
                if server.healthy():
                    server.welcome()
                    waiting.remove(server)
                    self.say(f"{server.name}: up at {server.endpoint} after {time.monotonic() - began:.1f} s")
            if time.monotonic() - began > PATIENCE:
                names = ", ".join(f"{server.name} ({server.log})" for server in waiting)
                raise PlatformError(f"No healthy answer within {PATIENCE} s from {names}.")
            time.sleep(0.1)

    def _ports(self, server: Server) -> dict[str, int]:
        """Secondary ports: those of the last time where they are still free, others where not."""
        known = self._state.get(server.name).get("ports", {})
        fresh = process.free_ports(len(server.secondary))
        pairs = zip(server.secondary, fresh, strict=True)
        return {name: known[name] if process.is_free(known.get(name, 0)) and name in known else new for name, new in pairs}

    # -- state -------------------------------------------------------------------------------------

    def _end(self, names: list[str], kill: bool = False) -> None:
        records = [record for name in names if (record := self._record(name))]
        process.end(records, kill)
        for name in names:
            self._state.put(name, {"ports": self._state.get(name).get("ports", {})})

    def _record(self, name: str) -> process.Record | None:
        """The recorded process of a server while it lives."""
        if name not in self._servers:
            raise SettingsError(f"No local server {name!r}: there are {', '.join(self._servers)}.")
        entry = {k: v for k, v in self._state.get(name).items() if k != "ports"}
        record = process.Record(**entry) if entry else None
        return record if record and record.process() else None

    def _status_of(self, server: Server) -> ServerStatus:
        record = self._record(server.name)
        return ServerStatus(
            name=server.name,
            running=record is not None,
            healthy=record is not None and server.healthy(),
            pid=record.pid if record else None,
            endpoint=server.endpoint,
            data_dir=server.folder,
            log_file=server.log,
            java=record.java if record else "",
        )

    @contextmanager
    def _session(self) -> Iterator[None]:
        if self.settings.servers != "local":
            raise SettingsError("servers is external: this environment's servers are not started from here.")
        self.settings.data_path.mkdir(parents=True, exist_ok=True)
        with self._locked():
            yield

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

    def get(self, name: str) -> dict[str, Any]:
        """The entry of a server, empty where there is none."""
        return self._all().get(name, {})

    def put(self, name: str, entry: dict[str, Any]) -> None:
        """Replace the entry of a server."""
        if not self.file.parent.exists():
            return
        draft = self.file.with_suffix(".draft")
        draft.write_text(json.dumps(self._all() | {name: entry}, indent=2), encoding="utf-8")
        os.replace(draft, self.file)

    def _all(self) -> dict[str, Any]:
        return json.loads(self.file.read_text(encoding="utf-8")) if self.file.is_file() else {}


def free_settings(base: Settings, data_dir: Path) -> dict[str, Any]:
    """Parameter overrides that give a test session its own data folder and free ports."""
    kafka, nessie, s3 = process.free_ports(3)
    low = 9201
    opensearch = process.free_ports(1, low, OpenSearch.highest_port + 1)[0]
    path = base.nessie_uri.removeprefix(base.nessie_root)
    return {
        "data_dir": str(data_dir),
        "servers": "local",
        "kafka_bootstrap_servers": f"127.0.0.1:{kafka}",
        "opensearch_host": "127.0.0.1",
        "opensearch_port": opensearch,
        "nessie_uri": f"http://127.0.0.1:{nessie}{path}",
        "s3_endpoint": f"http://127.0.0.1:{s3}",
    }


def _java_for(server: Server) -> java.Java | None:
    return java.find(server.name) if server.needs_java else None


def _check_port(server: Server) -> None:
    port = server.port
    if not process.is_free(port):
        other = 9202 if server.port_parameter == "opensearch_port" else server.endpoint.replace(str(port), str(port + 1))
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
