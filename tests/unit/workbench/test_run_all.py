"""run_all.sh: finding a Python, making the environment once, passing the rest on. No server is started."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from dualsink.cli.main import commands
from dualsink.settings import project_root

ROOT = project_root(Path(__file__))
TOOLS = ("bash", "cat", "dirname", "env", "mkdir", "rm", "tail", "touch", "cp")
# Stands for a Python: answers what run_all.sh asks, and logs what it is told to do beside itself.
FAKE = r"""#!/usr/bin/env bash
home=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
echo "$*" >>"$FAKE_LOG"
case "$*" in
*version_info*) [ "$FAKE_VERSION" != 3.9.1 ] ;;
--version) echo "Python $FAKE_VERSION" ;;
"-m venv "*) mkdir -p "$3/bin" && cp "${BASH_SOURCE[0]}" "$3/bin/python" ;;
*"-m pip install"*)
    [[ "$*" != *requirements.lock ]] || cat "$FAKE_LOG.pip" 2>/dev/null
    [ -z "$FAKE_BREAKS" ] || { echo "no such wheel"; exit 1; }
    touch "$home/installed" ;;
*disk_usage*) echo "${FAKE_FREE-50000}" ;;
*hashlib*) echo 0123456789abcdef ;;
*sys.prefix*) echo "$home" ;;
"-I - "*) [ -e "$home/installed" ] ;;
"-P -m dualsink"*) echo "ran: $*" ;;
esac
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with the script and the two files that pin the environment."""
    folder = tmp_path / "a checkout"
    folder.mkdir()
    for name in ("run_all.sh", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, folder)
    return folder


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A folder for PATH that holds the tools of the script and no Python."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in TOOLS:
        (folder / tool).symlink_to(shutil.which(tool))
    return folder


def run(
    script: Path,
    *arguments: str,
    path: Path | None = None,
    cwd: Path | None = None,
    user: str | None = None,
    **variables: str,
):
    """Run the script as a machine without a terminal does."""
    keep = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "CONDA_PREFIX", "PATH")}
    environment = keep | {"PATH": str(path or os.environ["PATH"])} | variables
    return subprocess.run(
        [shutil.which("bash"), str(script), *arguments],
        env=environment,
        cwd=cwd,
        user=user,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )


def fake_python(folder: Path, name: str = "python3.12") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(FAKE)
    (folder / name).chmod(0o755)


@pytest.fixture
def fake(path: Path, tmp_path: Path):
    """Run a checkout's script with a fake Python on PATH; `log` tells what the Python was told."""
    fake_python(path)
    log = tmp_path / "log"

    def call(checkout: Path, *arguments: str, breaks: str = "", version: str = "3.12.1", **variables: str):
        log.write_text("")
        settings = {"FAKE_LOG": str(log), "FAKE_BREAKS": breaks, "FAKE_VERSION": version}
        answer = run(checkout / "run_all.sh", *arguments, path=path, **settings, **variables)
        return answer, log.read_text()

    return call


# -- help and options ----------------------------------------------------------------------------------


@pytest.mark.parametrize("option", ["-h", "--help", "help"])
def test_help_needs_no_python_and_shows_examples(checkout, path, option):
    answer = run(checkout / "run_all.sh", option, path=path)
    assert (answer.returncode, answer.stderr) == (0, "")
    assert "usage: ./run_all.sh" in answer.stdout and "examples" in answer.stdout
    assert not (checkout / ".venv").exists()


def test_help_names_every_command(checkout, path):
    text = run(checkout / "run_all.sh", "--help", path=path).stdout
    listed = text.partition("commands\n")[2].partition("examples")[0]
    named = {name for line in listed.splitlines() for name in line.strip().partition("  ")[0].split(", ")}
    assert {each.name.split()[0] for each in commands()} | {"test"} == named - {""}


@pytest.fixture
def active() -> dict[str, str]:
    """The environment of this test run, as if it were activated."""
    return {"VIRTUAL_ENV": sys.prefix}


@pytest.mark.parametrize("arguments", [["--bogus"], ["run", "--bogus"], ["up", "--bogus"]])
def test_an_unknown_option_is_refused_by_name_from_any_folder(active, tmp_path, arguments):
    answer = run(ROOT / "run_all.sh", *arguments, cwd=tmp_path, **active)
    assert answer.returncode == 2
    assert "No such option: --bogus" in answer.stderr


def test_an_unknown_parameter_is_refused_by_name(active):
    answer = run(ROOT / "run_all.sh", "-p", "kafka_topc", "x", **active)
    assert answer.returncode == 2
    assert "did you mean kafka_topic?" in answer.stderr


def test_an_unknown_command_is_refused_by_name(active):
    answer = run(ROOT / "run_all.sh", "destroy", **active)
    assert (answer.returncode, "destroy" in answer.stderr) == (2, True)


def test_test_hands_its_arguments_to_pytest(active, tmp_path):
    answer = run(ROOT / "run_all.sh", "test", "--version", cwd=tmp_path, **active)
    assert (answer.returncode, "pytest" in answer.stdout + answer.stderr) == (0, True)


# -- finding a Python ----------------------------------------------------------------------------------


def test_without_a_python_it_says_which_ones_would_do(checkout, path):
    answer = run(checkout / "run_all.sh", "status", path=path)
    assert answer.returncode == 1
    assert "No Python 3.11, 3.12 or 3.13" in answer.stderr
    assert "conda env create" in answer.stderr
    assert not (checkout / ".venv").exists()


def test_a_python_that_is_too_old_is_named(checkout, fake, path):
    answer, _ = fake(checkout, "status", version="3.9.1")
    assert answer.returncode == 1
    assert f"{path}/python3.12: Python 3.9.1" in answer.stderr


def test_a_name_that_does_not_answer_is_passed_over(checkout, fake, path):
    (path / "python3.13").write_text("#!/usr/bin/env bash\nexit 127\n")
    (path / "python3.13").chmod(0o755)
    answer, log = fake(checkout, "status")
    assert answer.returncode == 0
    assert "-m venv" in log


def test_an_active_environment_of_another_version_is_refused_by_name(checkout, fake, tmp_path):
    fake_python(tmp_path / "old", "unused")
    fake_python(tmp_path / "old" / "bin", "python")
    answer, _ = fake(checkout, "status", version="3.9.1", VIRTUAL_ENV=str(tmp_path / "old"))
    assert answer.returncode == 1
    assert "has Python 3.9.1, dualsink needs Python 3.11 to 3.13" in answer.stderr


# -- making the environment ----------------------------------------------------------------------------


def test_the_environment_is_made_once(checkout, fake):
    first, _ = fake(checkout, "status")
    second, log = fake(checkout, "status")
    assert "Making the environment" in first.stderr
    assert (second.returncode, second.stderr) == (0, "")
    assert "pip install" not in log


def test_the_first_run_says_what_it_needs_and_shows_what_pip_does_that_takes_long(checkout, fake, tmp_path):
    said = "Collecting pyspark==4.1.3\n  Downloading pyspark-4.1.3.tar.gz (434.2 MB)\n  Downloading rich.whl (0.3 MB)\n"
    (tmp_path / "log.pip").write_text(said + "Installing collected packages: rich, pyspark\n")
    answer, _ = fake(checkout, "status")
    assert "1.8 GB" in answer.stderr and "0.9 GB" in answer.stderr and "5 GB of memory" in answer.stderr
    shown = [line.strip() for line in answer.stderr.splitlines() if line.startswith("  ")]
    assert shown == ["Downloading pyspark-4.1.3.tar.gz (434.2 MB)", "Unpacking and installing"]
    assert (checkout / ".venv" / "dualsink-install.log").read_text().startswith(said)


@pytest.mark.parametrize("active", [False, True])
def test_too_little_disk_is_told_in_one_line_and_nothing_is_made(checkout, fake, tmp_path, active):
    fake_python(tmp_path / "mine" / "bin", "python")
    variables = {"VIRTUAL_ENV": str(tmp_path / "mine")} if active else {}
    answer, log = fake(checkout, "status", FAKE_FREE="500", **variables)
    assert answer.returncode == 1
    assert answer.stderr.startswith("The environment needs 2000 MB of free disk")
    assert "has 500 MB" in answer.stderr and len(answer.stderr.splitlines()) == 1
    assert "pip install" not in log and not (checkout / ".venv").exists()


@pytest.fixture
def read_only_checkout(path: Path) -> Iterator[Path]:
    """A checkout, and the tools, in a folder that whoever runs the script may read and not write."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(path, Path(folder, "bin"), symlinks=True)
        for name in ("run_all.sh", "pyproject.toml", "requirements.lock"):
            shutil.copy(ROOT / name, folder)
        fake_python(Path(folder, "bin"))
        Path(folder, "log").touch()
        Path(folder, "log").chmod(0o666)
        Path(folder).chmod(0o555)
        yield Path(folder)
        Path(folder).chmod(0o755)


def test_a_read_only_checkout_is_told_in_one_line(read_only_checkout):
    folder = str(read_only_checkout)
    variables = {"FAKE_LOG": f"{folder}/log", "FAKE_VERSION": "3.12.1", "FAKE_BREAKS": ""}
    # Root may write anywhere.
    user = "nobody" if os.geteuid() == 0 else None
    answer = run(read_only_checkout / "run_all.sh", "status", path=Path(folder, "bin"), cwd="/", user=user, **variables)
    assert answer.returncode == 1
    assert (
        answer.stderr
        == f"The environment cannot be made: {folder} is read-only. Put this checkout where you may write.\n"
    )


def test_packages_are_those_of_the_lock_file_and_their_hashes_are_required(checkout, fake):
    _, log = fake(checkout, "status")
    packages, checkout_itself = (line for line in log.splitlines() if "pip install" in line)
    assert packages.endswith("--require-hashes -r requirements.lock")
    assert checkout_itself.endswith("--no-deps -e .")


def test_an_active_environment_is_used_and_no_other_is_made(checkout, fake, tmp_path):
    (tmp_path / "mine").mkdir()
    fake_python(tmp_path / "mine" / "bin", "python")
    answer, log = fake(checkout, "status", VIRTUAL_ENV=str(tmp_path / "mine"))
    assert answer.returncode == 0
    assert "pip install" in log and "-m venv" not in log
    assert not (checkout / ".venv").exists()


def test_an_active_conda_environment_is_used_but_not_the_base_one(checkout, fake, tmp_path):
    (tmp_path / "conda").mkdir()
    fake_python(tmp_path / "conda" / "bin", "python")
    conda = {"CONDA_PREFIX": str(tmp_path / "conda")}
    fake(checkout, "status", CONDA_DEFAULT_ENV="dualsink", **conda)
    assert not (checkout / ".venv").exists()
    fake(checkout, "status", CONDA_DEFAULT_ENV="base", **conda)
    assert (checkout / ".venv").exists()


def test_a_failed_installation_shows_its_output_and_is_redone(checkout, fake):
    failed, _ = fake(checkout, "status", breaks="yes")
    assert failed.returncode == 1
    assert "no such wheel" in failed.stderr and "The whole output:" in failed.stderr
    again, log = fake(checkout, "status")
    assert again.returncode == 0
    assert "-m venv" in log and "pip install" in log


def test_an_environment_killed_half_way_is_made_again(checkout, fake):
    (checkout / ".venv").mkdir()
    (checkout / ".venv" / ".unfinished").touch()
    (checkout / ".venv" / "broken").touch()
    answer, _ = fake(checkout, "status")
    assert answer.returncode == 0
    assert not (checkout / ".venv" / "broken").exists()
    assert not (checkout / ".venv" / ".unfinished").exists()


# -- passing on ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "passed"),
    [
        ([], "run"),
        (["--env", "ci"], "run --env ci"),
        (["-p", "seed", "1"], "run -p seed 1"),
        (["run", "--stages", "01"], "run --stages 01"),
        (["status", "--json"], "status --json"),
        (["bench", "flat", "--help"], "bench flat --help"),
        (["chaos", "--only", "replay"], "chaos --only replay"),
    ],
)
def test_a_command_is_passed_on_and_run_is_the_default(checkout, fake, arguments, passed):
    answer, _ = fake(checkout, *arguments)
    assert answer.stdout == f"ran: -P -m dualsink --project {checkout} {passed}\n"
