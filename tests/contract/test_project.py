"""What the project's files promise of each other, and what none of them may hold."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

from dualsink_workbench import supply

SKIPPED = {
    ".git",
    ".venv",
    ".data",
    "runs",
    "__pycache__",
    ".ruff_cache",
    ".mypy_cache",
    ".pytest_cache",
    ".hypothesis",
}
TEXT = {".py", ".ipynb", ".md", ".yaml", ".yml", ".toml", ".txt", ".sh", ".xml", ".properties", ".json", ""}
# Written in parts, so that this file does not name them either.
REGISTRIES = [
    ".".join(parts)
    for parts in [
        ("pypi", "org"), ("pythonhosted", "org"), ("maven", "org"), ("maven", "apache"), ("sonatype", "org"),
        ("anaconda", "org"), ("anaconda", "com"), ("npmjs", "org"), ("docker", "io"), ("ghcr", "io"), ("quay", "io"),
    ]
]  # fmt: skip
MACHINE_PATHS = [f"/{name}/" for name in ("home", "root", "work", "Users", "workspace")]
SECRETS = [
    r"AKIA[0-9A-Z]{16}",
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
    r"(?i)\b(password|secret_key|access_key|token)\b['\"]?\s*[:=]\s*['\"][^'\"\s{}$<]{8,}['\"]",
    r"://[^/\s:@'\"{}]+:[^/\s:@'\"{}]+@",
]


@pytest.fixture
def files(root: Path) -> dict[str, str]:
    """Text of every file of the project by its path."""
    found = {}
    for file in sorted(root.rglob("*")):
        path = file.relative_to(root)
        skipped = SKIPPED & set(path.parts) or any(part.endswith(".egg-info") for part in path.parts)
        if file.is_file() and not skipped and file.suffix in TEXT:
            found[str(path)] = file.read_text(encoding="utf-8", errors="replace")
    return found


@pytest.fixture
def project(root: Path) -> dict:
    """pyproject.toml."""
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture
def environment(root: Path) -> dict:
    """environment.yml."""
    return yaml.safe_load((root / "environment.yml").read_text(encoding="utf-8"))


def pip_pins(environment: dict) -> list[str]:
    lines = next(entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    return sorted(line for line in lines if not line.startswith("-"))


def test_environment_and_pyproject_pin_the_same_versions(environment, project):
    wanted = project["project"]["dependencies"] + project["project"]["optional-dependencies"]["test"]
    assert pip_pins(environment) == sorted(wanted)


def test_every_pin_is_exact(project):
    pins = project["project"]["dependencies"] + project["project"]["optional-dependencies"]["test"]
    assert [pin for pin in pins if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*", pin)] == []


def test_environment_and_pyproject_ask_for_the_same_python(environment, project):
    python = next(line for line in environment["dependencies"] if str(line).startswith("python "))
    assert python.removeprefix("python ") == project["project"]["requires-python"]


def test_constraints_agree_with_the_pins(root, project):
    lines = (root / "constraints.txt").read_text(encoding="utf-8").splitlines()
    constraints = {line.split("==")[0].lower(): line.lower() for line in lines if "==" in line}
    pins = project["project"]["dependencies"] + project["project"]["optional-dependencies"]["test"]
    apart = [pin for pin in pins if constraints.get(pin.split("==")[0].lower(), pin.lower()) != pin.lower()]
    assert apart == []


def test_every_pin_is_locked_with_its_version_and_hashes(root, project):
    text = (root / "requirements.lock").read_text(encoding="utf-8")
    locked = re.findall(r"^(\S+==[^\s;]+)[^\n]*\\\n    --hash=sha256:[0-9a-f]{64}", text, flags=re.MULTILINE)
    assert len(locked) == len(re.findall(r"^\S+==", text, flags=re.MULTILINE))
    pins = [line for line in (root / "constraints.txt").read_text(encoding="utf-8").splitlines() if "==" in line]
    pins += project["project"]["dependencies"] + project["project"]["optional-dependencies"]["test"]
    assert {canonical(pin) for pin in pins} - {canonical(pin) for pin in locked} == set()


def test_the_image_installs_what_is_locked_without_the_packages_of_the_tests(root, project):
    everything, image = (locked(root / name) for name in (supply.LOCK, supply.IMAGE_LOCK))
    assert image.items() <= everything.items()
    needed = {canonical(pin).partition("==")[0] for pin in project["project"]["dependencies"]}
    assert needed <= image.keys() and not {"pytest", "mypy", "moto", "selenium"} & image.keys()
    assert "--require-hashes --requirement requirements.lock" in (root / "deploy" / "Dockerfile").read_text()


def locked(file: Path) -> dict[str, list[str]]:
    """Hashes by package, of every version that a lock file holds of it."""
    found: dict[str, list[str]] = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        if pin := re.match(r"(\S+)==", line):
            hashes = found.setdefault(canonical(f"{pin[1]}==").partition("==")[0], [])
        elif "--hash=" in line:
            hashes.append(line.strip(" \\"))
    return found


def canonical(pin: str) -> str:
    """A pin with its package's name as registries write it."""
    name, version = pin.split("==")
    return f"{re.sub('[-_.]+', '-', name.lower())}=={version}"


def test_every_jar_is_locked_by_its_checksum():
    assert [component["bom-ref"] for component in supply.jar_components()] != []


def test_the_package_is_installed_from_the_work_tree_in_both_environments(environment):
    pip = next(entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    assert "-e ." in pip and "-c constraints.txt" in pip


def test_no_file_names_a_registry_host(files):
    named = [(path, host) for path, text in files.items() for host in REGISTRIES if host in text]
    assert named == []


def test_no_file_names_a_place_on_somebodys_machine(files):
    this = str(Path("tests/contract/test_project.py"))
    named = [
        (path, place)
        for path, text in files.items()
        for place in MACHINE_PATHS
        if path != this and re.search(rf"(?<![\w.$}}]){place}\w", text)
    ]
    assert named == []


@pytest.mark.parametrize("pattern", SECRETS, ids=["cloud key", "private key", "assignment", "address"])
def test_no_file_holds_what_looks_like_a_secret(files, pattern):
    found = {path: re.search(pattern, text) for path, text in files.items() if not path.startswith("tests/")}
    assert {path: match[0] for path, match in found.items() if match} == {}


def test_local_servers_are_addressed_on_loopback_alone(files):
    everywhere = re.compile(r"\b0\.0\.0\.0\b|(?<![\w:])\[?::\]?:\d")
    library = {path: text for path, text in files.items() if path.startswith(("lib/", "params/", "run_all.sh"))}
    assert [path for path, text in library.items() if everywhere.search(text)] == []


def test_a_wheel_holds_every_file_that_is_no_module(root, project):
    lib, globs = root / "lib", project["tool"]["setuptools"]["package-data"]
    packed = {file for package, patterns in globs.items() for each in patterns for file in (lib / package).glob(each)}
    ours = [file for file in lib.rglob("*") if file.is_file() and file.suffix not in (".py", ".pyc")]
    left_out = [file for file in ours if file not in packed and not any(".egg-info" in part for part in file.parts)]
    assert left_out == []


def test_the_commands_of_the_workbench_are_found_by_their_entry_point(project):
    assert project["project"]["scripts"] == {"dualsink": "dualsink.cli.main:main"}
    assert project["project"]["entry-points"]["dualsink.commands"] == {"workbench": "dualsink_workbench.cli:commands"}
