"""Base of the local servers: folders, loopback, Java command line."""

import shutil
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

from dualsink.errors import SettingsError
from dualsink.settings import Settings
from dualsink.spark.class_archive import Classes
from dualsink.spark.java import Java, Need
from dualsink_workbench.servers.process import Command, last_lines

LOOPBACK = "127.0.0.1"
TRIALS = "chaos"
"""Begin of the names of what chaos makes and breaks; secured servers grant their users the same rights there."""
# Log4j's own file for servers that use it: everything to the console, which is the server's log file.
CONSOLE_LOGGING = """\
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{ISO8601} %-5p %c{1.} %m%n
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
"""


class Stuck(Exception):
    """Failure of a server that no waiting will end.

    The server answers and says so itself.
    """


class Server(ABC):
    """Local server.

    Methods receive `ports`: the secondary ones, by the names in `secondary`.
    """

    name: ClassVar[str]
    port_parameter: ClassVar[str]
    secondary: ClassVar[tuple[str, ...]] = ()
    # What it asks of a Java; None for a program that needs none.
    need: ClassVar[Need | None] = None
    # Started only where it is asked for by name.
    optional: ClassVar[bool] = False
    # What `probe` raises while the server does not answer.
    silence: ClassVar[tuple[type[Exception], ...]] = (OSError,)
    # Seconds between SIGTERM and SIGKILL. On a machine's first end a server writes down its classes.
    stop_timeout: ClassVar[float] = 60

    def __init__(self, settings: Settings):
        self.settings = settings
        self.folder = settings.data_path / self.name
        self.log = settings.logs_path / f"{self.name}.log"

    @property
    @abstractmethod
    def endpoint(self) -> str:
        """The address that clients use, as the settings give it."""

    @property
    def port(self) -> int:
        """Main port. Raises SettingsError when the settings name another machine."""
        return loopback_port(self.endpoint, self.port_parameter)

    @abstractmethod
    def command(self, ports: Mapping[str, int], java: Java | None, jars: Path | None) -> Command:
        """Return the command to start."""

    @abstractmethod
    def probe(self) -> None:
        """Make a real request.

        Raises one of `silence` when the answer is missing or bad, Stuck where it will stay so.
        """

    def prepare(self, ports: Mapping[str, int], java: Java | None, jars: Path | None) -> None:
        """Create folders and configuration files before the start."""
        shutil.rmtree(self.temporary, ignore_errors=True)
        self.temporary.mkdir(parents=True)

    def furnish(self) -> None:  # noqa: B027 - most servers need nothing
        """Create what a healthy server must hold.

        Raises one of `silence` if it is too early for that.
        """

    def tidy(self, ports: Mapping[str, int]) -> None:  # noqa: B027 - most servers leave nothing
        """Remove what an ended process left outside its folder."""

    def problem(self, furnish: bool = False) -> str:
        """Return why the server is unhealthy, or an empty string.

        The reason is one line. Raises Stuck as `probe` does.
        """
        try:
            self.probe()
            if furnish:
                self.furnish()
        except self.silence as error:
            return f"{type(error).__name__}: {error}".splitlines()[0][:200]
        return ""

    @property
    def artifacts(self) -> list[str]:
        """Configurations of jars that it is started with."""
        return [self.name]

    @property
    def secured(self) -> bool:
        """TLS and users, if the settings ask for them."""
        return self.name in self.settings.secured_servers

    @property
    def temporary(self) -> Path:
        """Folder for what the server unpacks while it runs."""
        return self.folder / "tmp"

    def java_command(self, java: Java, heap: str, *options: str) -> list[str]:
        """Return a java command line with a capped heap.

        IPv4 only: an IPv6 wildcard would listen beyond loopback.
        """
        common = [f"-Xmx{heap}", "-XX:+ExitOnOutOfMemoryError"]
        common += ["-Djava.net.preferIPv4Stack=true", f"-Djava.io.tmpdir={self.temporary}"]
        if java.version >= 21:
            common.append("--enable-native-access=ALL-UNNAMED")
        return [str(java.executable), *common, *options]

    def classes(self, java: Java, *folders: Path) -> list[str]:
        """Return options that make later starts faster."""
        jars = [jar for folder in folders for jar in sorted(folder.glob("*.jar"))]
        return Classes(self.name, java, jars).options(record=True)

    def started_with(self, *arguments: str, **environment: str) -> Command:
        """Return a command that runs in the server's folder.

        The secrets in this process's environment are not handed on.
        """
        withheld = [getattr(self.settings, name) for name in Settings.model_fields if name.endswith("_env")]
        return Command([*arguments], self.folder, environment, withheld)


def loopback_port(endpoint: str, parameter: str) -> int:
    """Return the port of an address on this machine.

    Raises SettingsError for any other machine or for several addresses.
    """
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


def notice(name: str, log: Path, what: str) -> str:
    """Describe a server's problem, with its log's last lines."""
    lines = "\n".join(f"  {line}" for line in last_lines(log)) or "  (its log is empty)"
    return f"{name} {what}. Its log {log} says:\n{lines}"
