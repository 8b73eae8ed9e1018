"""The files that the contracts are about. No test here needs a server."""

from pathlib import Path

import nbformat
import pytest

from dualsink.settings import project_root

ROOT = project_root(Path(__file__))
LESSONS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SOLUTIONS = sorted((ROOT / "notebooks" / "solutions").glob("*.ipynb"))
PARAMS = sorted((ROOT / "params").glob("*.yaml"))


@pytest.fixture
def root() -> Path:
    """The project's folder."""
    return ROOT


@pytest.fixture(params=[*LESSONS, *SOLUTIONS], ids=lambda file: f"{file.parent.name}/{file.stem}")
def notebook_file(request: pytest.FixtureRequest) -> Path:
    """Each notebook of the suite in turn, and each of solutions."""
    return request.param


@pytest.fixture
def notebook(notebook_file: Path) -> nbformat.NotebookNode:
    """The notebook as it is committed."""
    return nbformat.read(notebook_file, nbformat.NO_CONVERT)


@pytest.fixture(params=LESSONS, ids=lambda file: file.stem)
def lesson(request: pytest.FixtureRequest) -> nbformat.NotebookNode:
    """Each notebook that is no solution, as it is committed."""
    return nbformat.read(request.param, nbformat.NO_CONVERT)


@pytest.fixture(params=PARAMS, ids=lambda file: file.stem)
def params_file(request: pytest.FixtureRequest) -> Path:
    """Each params file in turn."""
    return request.param
