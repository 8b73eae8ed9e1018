"""Papermill from the command line, in any folder, with a notebook alone: an environment's name is enough."""

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from dualsink.settings import Settings, params_files, project_root

NOTEBOOK = project_root(Path(__file__)) / "notebooks" / "02_produce.ipynb"


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    """The notebook as it begins, then all of its settings printed."""
    cells = nbformat.read(NOTEBOOK, nbformat.NO_CONVERT)
    cells.cells = [cell for cell in cells.cells if cell.id in ("02-parameters", "02-settings")]
    cells.cells.append(nbformat.v4.new_code_cell("settings.model_dump_json()", id="02-shown"))
    nbformat.write(cells, tmp_path / "alone.ipynb")
    return tmp_path / "alone.ipynb"


def test_the_name_of_an_environment_gives_all_of_its_values(notebook):
    given = ["-p", "environment", "ci", "-p", "run_id", "x", "-p", "kafka_partitions", "3"]
    command = [sys.executable, "-m", "papermill", str(notebook), "out.ipynb", *given]
    done = subprocess.run(command, cwd=notebook.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    last = nbformat.read(notebook.with_name("out.ipynb"), nbformat.NO_CONVERT).cells[-1]
    settings = Settings.model_validate_json(last.outputs[0].data["text/plain"].strip("'"))
    assert settings == Settings.load(params_files("ci"), {"run_id": "x", "kafka_partitions": 3})
