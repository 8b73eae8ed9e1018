"""The checks of a commit, over the whole tree: the hooks of .pre-commit-config.yaml and what they need."""

import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from tests.contract.conftest import ROOT

SKIPPED = {".git", ".venv", ".data", "runs"}
HOOKS = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"][0]["hooks"]


def files(pattern: str) -> list[str]:
    """Paths of the project's files that a hook's `files` matches."""
    paths = [file.relative_to(ROOT) for file in ROOT.rglob("*") if file.is_file()]
    return sorted(str(path) for path in paths if not SKIPPED & set(path.parts) and re.search(pattern, path.as_posix()))


def run(command: list[str], root: Path) -> subprocess.CompletedProcess:
    """The command with the programs of this environment first on PATH."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return subprocess.run(command, cwd=root, env={**os.environ, "PATH": path}, capture_output=True, text=True)


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook["id"])
def test_every_file_passes_the_hook(hook, root):
    checked = files(hook["files"])
    done = run([*shlex.split(hook["entry"]), *checked], root)
    assert checked and done.returncode == 0, done.stdout + done.stderr


def test_every_hook_runs_a_program_that_the_environment_pins(root):
    """Nothing is fetched for a hook: it runs offline, in the versions of the tests."""
    extra = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    pinned = {pin.split("==")[0].removesuffix("-py") for pin in extra["test"]}
    assert {hook["language"] for hook in HOOKS} == {"system"}
    assert {shlex.split(hook["entry"])[0] for hook in HOOKS} <= pinned
