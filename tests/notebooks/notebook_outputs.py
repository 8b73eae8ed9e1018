"""Reading an executed notebook."""

import nbformat


def printed(notebook: nbformat.NotebookNode, cell_id: str) -> str:
    """What a cell wrote to its standard output."""
    outputs = cell(notebook, cell_id).outputs
    return "".join(o.text for o in outputs if o.output_type == "stream" and o.name == "stdout")


def shown(notebook: nbformat.NotebookNode, cell_id: str, kind: str) -> list[str]:
    """What a cell displayed as `kind`, a MIME type."""
    return [o.data[kind] for o in cell(notebook, cell_id).outputs if kind in o.get("data", {})]


def cell(notebook: nbformat.NotebookNode, cell_id: str) -> nbformat.NotebookNode:
    """The cell of an id."""
    return next(each for each in notebook.cells if each.id == cell_id)
