"""Types of the rooms in which a wrong one loses events; which rooms and how is said in pyproject.toml."""

import subprocess
import sys


def test_mypy_finds_no_wrong_type(root, tmp_path):
    command = [sys.executable, "-m", "mypy", "--cache-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
