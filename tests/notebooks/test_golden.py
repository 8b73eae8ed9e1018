"""Small notebooks with outputs: a change of behaviour is a difference of output. No server is needed."""

from pathlib import Path

import nbformat
import pytest
from pytest_notebook.nb_regression import NBRegressionError, NBRegressionFixture

GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.ipynb"))
# What differs from machine to machine; the outputs themselves are compared to the letter.
VOLATILE = ("/metadata", "/nbformat_minor", "/cells/*/metadata", "/cells/*/execution_count")


@pytest.fixture
def regression(nb_regression: NBRegressionFixture) -> NBRegressionFixture:
    nb_regression.diff_ignore = VOLATILE
    nb_regression.diff_use_color = False
    return nb_regression


@pytest.mark.parametrize("file", GOLDEN, ids=lambda file: file.stem)
def test_a_golden_notebook_gives_the_outputs_it_was_committed_with(regression, file):
    regression.check(str(file))


@pytest.mark.parametrize("file", GOLDEN, ids=lambda file: file.stem)
def test_a_golden_notebook_has_outputs_to_compare(file):
    notebook = nbformat.read(file, nbformat.NO_CONVERT)
    assert any(cell.outputs for cell in notebook.cells if cell.cell_type == "code")


def test_a_changed_output_is_noticed(regression, tmp_path):
    notebook = nbformat.read(GOLDEN[0], nbformat.NO_CONVERT)
    output = next(cell.outputs[0] for cell in notebook.cells if cell.get("outputs"))
    output.text = output.text.replace("application_logs-0", "application_logs-9") + "one line more\n"
    nbformat.write(notebook, tmp_path / "changed.ipynb")
    with pytest.raises(NBRegressionError, match="one line more"):
        regression.check(str(tmp_path / "changed.ipynb"))
