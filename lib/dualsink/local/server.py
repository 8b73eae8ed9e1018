"""What the local servers have in common: folders, the address on loopback, the Java command line."""

import shutil
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

from dualsink.errors import SettingsError
from dualsink.local.classes import Classes
from dualsink.local.java import Java
from dualsink.local.process import Command, last_lines
from dualsink.settings import Settings

LOOPBACK = "127.0.0.1"
# Log4j's own file for servers that use it: everything to the console, which is the server's log file.
CONSOLE_LOGGING = """\
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{ISO8601} %-5p %c{1.} %m%n
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
"""


class Server(ABC):
    """One local server. Methods receive `ports`: the secondary ones, by the names in `secondary`."""

    name: ClassVar[str]
    port_parameter: ClassVar[str]
    secondary: ClassVar[tuple[str, ...]] = ()
    needs_java: ClassVar[bool] = True
    # Started only where it is asked for by name.
    optional: ClassVar[bool] = False
    # What `probe` raises while the server does not answer.
    silence: ClassVar[tuple[type[Exception], ...]] = (OSError,)
    # Seconds between SIGTERM and SIGKILL. On a machine's first end a server writes down its classes.
    patience: ClassVar[float] = 60

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

    @abstractmethod
    def command(self, ports: Mapping[str, int], java: Java | None, jars: Path | None) -> Command:
        """What to start."""

    @abstractmethod
    def probe(self) -> None:
        """Make a real request. Raises one of `silence` when the answer is missing or bad."""

    def prepare(self, ports: Mapping[str, int], java: Java | None, jars: Path | None) -> None:
        """Make the folders and write configuration files, before the server starts."""
        shutil.rmtree(self.temporary, ignore_errors=True)
        self.temporary.mkdir(parents=True)

    def furnish(self) -> None:  # noqa: B027 - most servers need nothing
        """Create what a healthy server must hold. Raises one of `silence` when it is too early for that."""

    def tidy(self, ports: Mapping[str, int]) -> None:  # noqa: B027 - most servers leave nothing
        """Remove what an ended process left outside its folder."""

    def problem(self, furnish: bool = False) -> str:
        """Why the server is not healthy, in one line, or an empty string."""
        try:
            self.probe()
            if furnish:
                self.furnish()
        except self.silence as error:
            return f"{type(error).__name__}: {error}".splitlines()[0][:200]
        return ""

    @property
    def temporary(self) -> Path:
        """Folder for what the server unpacks while it runs."""
        return self.folder / "tmp"

    def java_command(self, java: Java, heap: str, *options: str) -> list[str]:
        """A java command line with a capped heap and IPv4 only: an IPv6 wildcard would listen beyond loopback."""
        common = [f"-Xmx{heap}", "-XX:+ExitOnOutOfMemoryError"]
        common += ["-Djava.net.preferIPv4Stack=true", f"-Djava.io.tmpdir={self.temporary}"]
        if java.version >= 21:
            common.append("--enable-native-access=ALL-UNNAMED")
        return [str(java.executable), *common, *options]

    def classes(self, java: Java, jars: Path) -> list[str]:
        """Options by which the server starts faster, from its second start on."""
        return Classes(self.name, java, sorted(jars.glob("*.jar"))).options(record=True)

    def started_with(self, *arguments: str, **environment: str) -> Command:
        """A command run in the server's folder; the S3 keys in this process's environment are not handed on."""
        withheld = (self.settings.s3_access_key_env, self.settings.s3_secret_key_env)
        return Command([*arguments], self.folder, environment, withheld)


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
