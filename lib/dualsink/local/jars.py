"""JVM artifacts by lock file: `ivy.xml` names them, the Ivy that PySpark ships fetches them, once per machine."""

import fcntl
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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from platformdirs import user_cache_path
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_fixed

from dualsink.errors import PlatformError
from dualsink.local import java

LOCK_FILE = Path(__file__).with_name("ivy.xml")
MARKER = ".complete.json"
# The lock file names every jar, so no POM has to be read: a third of the time. The resolver's default place is meant.
IVY_SETTINGS = """\
<ivysettings>
  <settings defaultResolver="public"/>
  <resolvers><ibiblio name="public" m2compatible="true" usepoms="false"/></resolvers>
</ivysettings>
"""
# Megabytes on disk while fetching: Ivy's own copy and ours.
NEEDED_MB = {"spark": 260, "kafka": 100, "opensearch": 130, "nessie": 490, "trino": 1700}
NEEDED_MB |= {"connect": 50, "connect-iceberg": 320}
ARCHIVES = (".gz", ".zip")


def cache_folder() -> Path:
    """Where fetched artifacts live: the environment variable DUALSINK_CACHE, else the user's cache folder."""
    chosen = os.environ.get("DUALSINK_CACHE")
    return Path(chosen).resolve() if chosen else user_cache_path("dualsink")


def fetch(conf: str, progress: Callable[[str], None] = print) -> Path:
    """Folder that holds the jars of one configuration of the lock file; downloads them the first time.

    An artifact that is an archive is unpacked there.

    Safe to call from several processes at once. Raises PlatformError when the disk is too full or a download fails.
    """
    folder = cache_folder() / "jars" / f"{conf}-{key(conf)}"
    if is_complete(folder):
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _locked(folder.with_suffix(".lock")):
        if not is_complete(folder):
            _fetch_into(folder, conf, progress)
    return folder


def jars(conf: str, progress: Callable[[str], None] = print) -> list[Path]:
    """The jar files of one configuration, sorted by name, fetched if need be."""
    return sorted(fetch(conf, progress).glob("*.jar"))


def spark_jars(progress: Callable[[str], None] = print) -> list[Path]:
    """The jar files for `spark.jars`: Iceberg, its AWS bundle, the Kafka source."""
    return jars("spark", progress)


def key(conf: str, lock_file: Path = LOCK_FILE) -> str:
    """Short hash of the pins of one configuration; comments, layout and other configurations do not count."""
    dependencies = ET.parse(lock_file).getroot().iter("dependency")
    pins = [d for d in dependencies if d.get("conf", "").split("->")[0] == conf]
    if not pins:
        raise KeyError(f"{lock_file.name} has no configuration {conf!r}")
    canonical = sorted(ET.canonicalize(ET.tostring(pin, "unicode"), strip_text=True) for pin in pins)
    return hashlib.sha256("\n".join(canonical).encode()).hexdigest()[:12]


def is_complete(folder: Path) -> bool:
    """True when every file that the folder's marker lists is there in its full size."""
    try:
        sizes = json.loads((folder / MARKER).read_text(encoding="utf-8"))
        return all((folder / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError):
        return False


def check_space(conf: str, folder: Path) -> None:
    """Raise PlatformError when the disk of `folder` cannot hold a fetch of `conf`."""
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
        _unpack(work / "jars")
        (work / "jars" / MARKER).write_text(json.dumps(_sizes(work / "jars")), encoding="utf-8")
        (work / "jars").rename(folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _unpack(folder: Path) -> None:
    for archive in [file for file in folder.iterdir() if file.suffix in ARCHIVES]:
        # Not shutil.unpack_archive: it leaves out, without a word, what has two dots in its name, as some jars have.
        with zipfile.ZipFile(archive) if archive.suffix == ".zip" else tarfile.open(archive) as opened:
            opened.extractall(folder)
        archive.unlink()


@retry(retry=retry_if_exception_type(PlatformError), stop=stop_after_attempt(2), wait=wait_fixed(2), reraise=True)
def _run_ivy(conf: str, work: Path, progress: Callable[[str], None]) -> None:
    (work / "settings.xml").write_text(IVY_SETTINGS, encoding="utf-8")
    log, began = work / "ivy.log", time.monotonic()
    with log.open("w") as output:
        process = subprocess.Popen(_ivy_command(conf, work), cwd=work, stdout=output, stderr=subprocess.STDOUT)
    try:
        _follow(process, conf, work, began, progress)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    if process.returncode or not _sizes(work / "jars"):
        raise PlatformError(_failure(conf, log.read_text(errors="replace")))
    count, size = _downloaded(work / "jars")
    progress(f"{conf}: {count} jars, {size} MB, in {time.monotonic() - began:.0f} s")


def _follow(process: subprocess.Popen, conf: str, work: Path, began: float, progress: Callable[[str], None]) -> None:
    while True:
        try:
            process.wait(timeout=10)
            return
        except subprocess.TimeoutExpired:
            count, size = _downloaded(work / "cache")
            progress(f"{conf}: {count} jars, {size} MB so far ({time.monotonic() - began:.0f} s)")


def _ivy_command(conf: str, work: Path) -> list[str]:
    pattern = f"{work / 'jars'}/[artifact]-[revision](-[classifier]).[ext]"
    timeouts = ["-Dsun.net.client.defaultConnectTimeout=30000", "-Dsun.net.client.defaultReadTimeout=60000"]
    where = ["-settings", str(work / "settings.xml"), "-cache", str(work / "cache")]
    what = ["-ivy", str(LOCK_FILE), "-confs", conf, "-retrieve", pattern]
    executable = str(java.find("kafka").executable)
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
    """Number of jars and archives below a folder and their megabytes; Ivy renames files while this looks."""
    sizes = []
    for file in [file for file in folder.rglob("*") if file.suffix in (".jar", *ARCHIVES)]:
        try:
            sizes.append(file.stat().st_size)
        except FileNotFoundError:
            continue
    return len(sizes), sum(sizes) // 2**20


def _failure(conf: str, output: str) -> str:
    """Ivy repeats its problems at the end; its progress dots and stack frames say nothing."""
    lines = [line.strip() for line in output.splitlines() if line.strip(" .\t:")]
    lines = [line for line in lines if not line.startswith("at ")]
    tail = "\n".join(f"  {line}" for line in lines[-6:]) or "  (no output)"
    return f"Could not fetch the {conf} jars. Ivy's last lines:\n{tail}\nCheck the network or proxy and run it again."


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    """Hold a lock across processes; it ends with the process, so a killed one leaves nothing behind."""
    with file.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
