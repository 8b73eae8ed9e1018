"""JVM artifacts by lock files, fetched once per machine.

`ivy.xml` names them, the Ivy that PySpark ships fetches them, and each must have its checksum of `jars.sha256`.
"""

import hashlib
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
import time
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from filelock import FileLock
from platformdirs import user_cache_path
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_fixed

from dualsink.errors import PlatformError
from dualsink.spark import java

LOCK_FILE = Path(__file__).with_name("ivy.xml")
SUMS_FILE = Path(__file__).with_name("jars.sha256")
"""SHA-256 of every artifact by its file's name, as `sha256sum` writes it."""
MARKER = ".complete.json"
IVY = java.Need("Ivy, which fetches the jars,", 17, modules=("java.se",))
# The lock file names every jar, so no POM has to be read: a third of the time. The resolver's default place is meant.
IVY_SETTINGS = """\
<ivysettings>
  <settings defaultResolver="public"/>
  <resolvers><ibiblio name="public" m2compatible="true" usepoms="false"/></resolvers>
</ivysettings>
"""
# Megabytes on disk while fetching: Ivy's own copy and ours.
NEEDED_MB = {"spark": 260, "kafka": 100, "opensearch": 160, "nessie": 490, "trino": 1700}
NEEDED_MB |= {"opensearch-security": 150, "connect": 50, "connect-iceberg": 320, "axe": 1}
ARCHIVES = (".gz", ".zip")


def cache_folder() -> Path:
    """Return the folder of fetched artifacts.

    It is DUALSINK_CACHE of the environment, else one in the user's cache folder.
    """
    chosen = os.environ.get("DUALSINK_CACHE")
    return Path(chosen).resolve() if chosen else user_cache_path("dualsink")


def fetch(conf: str, progress: Callable[[str], None] = print) -> Path:
    """Return the folder of a configuration's jars, fetched if needed.

    An artifact that is an archive is unpacked there. Safe to call from several processes at once. Raises PlatformError
    when the disk is too full, a download fails, or a file is another one than is locked.
    """
    folder = cache_folder() / "jars" / f"{conf}-{key(conf)}"
    if is_complete(folder):
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if not is_complete(folder):
            _fetch_into(folder, conf, progress)
    return folder


def jars(conf: str, progress: Callable[[str], None] = print) -> list[Path]:
    """Return a configuration's jars by name, fetched if needed."""
    return sorted(fetch(conf, progress).glob("*.jar"))


def spark_jars(progress: Callable[[str], None] = print) -> list[Path]:
    """Return the jars for `spark.jars`: Iceberg, AWS bundle, Kafka."""
    return jars("spark", progress)


def key(conf: str, lock_file: Path = LOCK_FILE) -> str:
    """Hash the pins of one configuration.

    Comments, layout and other configurations do not count.
    """
    dependencies = ET.parse(lock_file).getroot().iter("dependency")
    pins = [d for d in dependencies if d.get("conf", "").split("->")[0] == conf]
    if not pins:
        raise KeyError(f"{lock_file.name} has no configuration {conf!r}")
    canonical = sorted(ET.canonicalize(ET.tostring(pin, "unicode"), strip_text=True) for pin in pins)
    return hashlib.sha256("\n".join(canonical).encode()).hexdigest()[:12]


def is_complete(folder: Path) -> bool:
    """Return whether every file of the marker is complete."""
    try:
        sizes = json.loads((folder / MARKER).read_text(encoding="utf-8"))
        return all((folder / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError):
        return False


def check_space(conf: str, folder: Path) -> None:
    """Raise PlatformError if the disk cannot hold a fetch."""
    free = shutil.disk_usage(folder).free // 2**20
    if free < NEEDED_MB[conf]:
        raise PlatformError(
            f"Fetching the {conf} jars needs about {NEEDED_MB[conf]} MB, {folder} has {free} MB free. "
            "Free some, or set DUALSINK_CACHE to a folder on another disk."
        )


def _fetch_into(folder: Path, conf: str, progress: Callable[[str], None]) -> None:
    check_space(conf, folder.parent)
    progress(f"{conf}: fetching its jars, once per machine ...")
    for leftover in (folder, *folder.parent.glob(f"{folder.name}.part*")):
        shutil.rmtree(leftover, ignore_errors=True)
    # A name of its own: an Ivy whose parent was killed may still write into the old one.
    work = Path(tempfile.mkdtemp(prefix=f"{folder.name}.part", dir=folder.parent))
    try:
        _run_ivy(conf, work, progress)
        _check_sums(conf, work / "jars")
        _unpack(work / "jars")
        (work / "jars" / MARKER).write_text(json.dumps(_sizes(work / "jars")), encoding="utf-8")
        (work / "jars").rename(folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def download(conf: str, work: Path, progress: Callable[[str], None] = print) -> dict[str, str]:
    """Download a configuration and return its files' SHA-256.

    By name; for the lock file, which is not looked at. `work` is an empty folder.
    """
    _run_ivy(conf, work, progress)
    return _sums(work / "jars")


def known_sums() -> dict[str, str]:
    """Return the locked SHA-256 of every artifact by file name."""
    lines = SUMS_FILE.read_text(encoding="utf-8").splitlines()
    return {name: digest for digest, name in (line.split("  ", 1) for line in lines)}


def _sums(folder: Path) -> dict[str, str]:
    return {file.name: _sha256(file) for file in sorted(folder.iterdir())}


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _check_sums(conf: str, folder: Path) -> None:
    known = known_sums()
    for name, digest in _sums(folder).items():
        if known.get(name) != digest:
            raise PlatformError(
                f"The {conf} jars are not used: {name} is not the file that was locked (SHA-256 {digest}, not "
                f"{known.get(name, 'known')}). Ask whoever runs the package registry or its mirror."
            )


def _unpack(folder: Path) -> None:
    for archive in [file for file in folder.iterdir() if file.suffix in ARCHIVES]:
        # Not shutil.unpack_archive: it leaves out, without a word, what has two dots in its name, as some jars have.
        with zipfile.ZipFile(archive) if archive.suffix == ".zip" else tarfile.open(archive) as opened:
            opened.extractall(folder)
        archive.unlink()


@retry(retry=retry_if_exception_type(PlatformError), stop=stop_after_attempt(2), wait=wait_fixed(2), reraise=True)
def _run_ivy(conf: str, work: Path, progress: Callable[[str], None]) -> None:
    (work / "settings.xml").write_text(IVY_SETTINGS, encoding="utf-8")
    log, start = work / "ivy.log", time.monotonic()
    with log.open("w") as output:
        process = subprocess.Popen(_ivy_command(conf, work), cwd=work, stdout=output, stderr=subprocess.STDOUT)
    try:
        _follow(process, conf, work, start, progress)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    if process.returncode or not _sizes(work / "jars"):
        raise PlatformError(_failure(conf, log.read_text(errors="replace")))
    count, size = _downloaded(work / "jars")
    progress(f"{conf}: {count} jars, {size} MB, in {time.monotonic() - start:.0f} s")


def _follow(process: subprocess.Popen, conf: str, work: Path, start: float, progress: Callable[[str], None]) -> None:
    while True:
        try:
            process.wait(timeout=10)
            return
        except subprocess.TimeoutExpired:
            count, size = _downloaded(work / "cache")
            progress(f"{conf}: {count} jars, {size} MB so far ({time.monotonic() - start:.0f} s)")


def _ivy_command(conf: str, work: Path) -> list[str]:
    pattern = f"{work / 'jars'}/[artifact]-[revision](-[classifier]).[ext]"
    timeouts = ["-Dsun.net.client.defaultConnectTimeout=30000", "-Dsun.net.client.defaultReadTimeout=60000"]
    where = ["-settings", str(work / "settings.xml"), "-cache", str(work / "cache")]
    what = ["-ivy", str(LOCK_FILE), "-confs", conf, "-retrieve", pattern]
    executable = str(java.find(IVY).executable)
    return [executable, "-Xmx256m", *timeouts, "-jar", str(_ivy_jar()), *where, *what]


def _ivy_jar() -> Path:
    pyspark = find_spec("pyspark")
    found = sorted(Path(pyspark.origin).parent.glob("jars/ivy-*.jar")) if pyspark and pyspark.origin else []
    if not found:
        raise PlatformError("No Ivy in the pyspark package: install pyspark (pip install pyspark==4.1.3).")
    return found[-1]


def _sizes(folder: Path) -> dict[str, int]:
    files = [file for file in sorted(folder.rglob("*")) if file.is_file() and file.name != MARKER]
    return {str(file.relative_to(folder)): file.stat().st_size for file in files}


def _downloaded(folder: Path) -> tuple[int, int]:
    """Count jars and archives below a folder, and their megabytes.

    Ivy renames files meanwhile.
    """
    sizes = []
    for file in [file for file in folder.rglob("*") if file.suffix in (".jar", *ARCHIVES)]:
        try:
            sizes.append(file.stat().st_size)
        except FileNotFoundError:
            continue
    return len(sizes), sum(sizes) // 2**20


def _failure(conf: str, output: str) -> str:
    """Extract Ivy's problems from its output.

    It repeats them at the end; progress dots and stack frames say nothing.
    """
    lines = [line.strip() for line in output.splitlines() if line.strip(" .\t:")]
    lines = [line for line in lines if not line.startswith("at ")]
    tail = "\n".join(f"  {line}" for line in lines[-6:]) or "  (no output)"
    return f"Could not fetch the {conf} jars. Ivy's last lines:\n{tail}\nCheck the network or proxy and run it again."
