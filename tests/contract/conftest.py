"""The files that the contracts are about. No test here needs a server."""

from pathlib import Path

import nbformat
import pytest

from dualsink.settings import project_root

ROOT = project_root(Path(__file__))
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PARAMS = sorted((ROOT / "params").glob("*.yaml"))


@pytest.fixture
def root() -> Path:
    """The project's folder."""
    return ROOT


@pytest.fixture(params=NOTEBOOKS, ids=lambda file: file.stem)
def notebook_file(request: pytest.FixtureRequest) -> Path:
    """Each notebook of the suite in turn."""
    return request.param


@pytest.fixture
def notebook(notebook_file: Path) -> nbformat.NotebookNode:
    """The notebook as it is committed."""
    return nbformat.read(notebook_file, nbformat.NO_CONVERT)


@pytest.fixture(params=PARAMS, ids=lambda file: file.stem)
def params_file(request: pytest.FixtureRequest) -> Path:
    """Each params file in turn."""
    return request.param
