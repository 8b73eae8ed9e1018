"""A notebook as a page: pictures and text within it, nothing loaded from elsewhere."""

import re

import nbformat
import pytest

from dualsink import pages

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


@pytest.fixture
def page(tmp_path) -> str:
    """The page of a notebook with a table, a picture and a line of text."""
    outputs = [
        nbformat.v4.new_output("stream", text="12 events"),
        nbformat.v4.new_output("display_data", {"image/png": PIXEL}),
        nbformat.v4.new_output("display_data", {"text/html": "<table><tr><td>unchanged</td></tr></table>"}),
    ]
    cells = [nbformat.v4.new_markdown_cell("# Audit"), nbformat.v4.new_code_cell("1", outputs=outputs)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "08_audit.ipynb")
    file = pages.write(tmp_path / "08_audit.ipynb")
    assert file == tmp_path / "08_audit.html"
    return file.read_text(encoding="utf-8")


def test_a_page_holds_text_tables_and_pictures(page):
    assert all(part in page for part in ("Audit", "12 events", "<td>unchanged</td>", f"data:image/png;base64,{PIXEL}"))


def test_a_page_loads_nothing_from_elsewhere(page):
    assert re.findall(r"""(?:src|href)=["'](?!data:|#|["'])[^"']*|import\(?["']https?:""", page) == []
