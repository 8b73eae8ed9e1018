"""A run as HTML pages, for people without Jupyter.

Nothing is loaded from elsewhere: in years a page must look as it does today.
"""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dualsink.files import write_atomically

_TEMPLATES = Path(__file__).parent / "templates"
_NO_ADDRESSES = dict.fromkeys(
    ["mathjax_url", "require_js_url", "jquery_url", "mermaid_js_url", "mermaid_layout_elk_js_url"], ""
)


class Pages:
    """Pages of a run's stages, made in the background."""

    def __init__(self) -> None:
        self._worker = ThreadPoolExecutor(1)
        self._pages: dict[str, Future[Path]] = {}

    def add(self, notebook: Path, fact: str) -> None:
        """Have the page of an executed notebook made."""
        self._pages[notebook.stem] = self._worker.submit(write, notebook, fact)

    def missing(self) -> dict[str, BaseException]:
        """Wait for all pages; return the reasons of missing ones.

        The reasons are keyed by the stage's name.
        """
        self._worker.shutdown()
        return {name: error for name, page in self._pages.items() if (error := page.exception())}


def write(notebook: Path, fact: str = "") -> Path:
    """Render an executed notebook to an HTML file beside it.

    Its fact comes first, below the title; code is folded, pictures are inside. Returns the file.
    """
    import nbformat
    from nbconvert import HTMLExporter

    content = nbformat.read(notebook, nbformat.NO_CONVERT)
    title, _, rest = content.cells[0].source.partition("\n")
    if fact:
        content.cells[0].source = f"{title}\n\n**{_escaped(fact)}**\n{rest}"
    exporter = HTMLExporter(template_name="page", extra_template_basedirs=[str(_TEMPLATES)], **_NO_ADDRESSES)
    text, _ = exporter.from_notebook_node(content, {"metadata": {"name": notebook.stem}})
    page = notebook.with_suffix(".html")
    write_atomically(page, text.encode())
    return page


def write_index(report: dict[str, Any], folder: Path) -> Path:
    """Write a run's `index.html`: verdict, stages, ledger, pictures.

    `report` is that of `report.json`, `folder` the run's. Returns the file.
    """
    from jinja2 import Environment, FileSystemLoader

    names = [stage["name"] for stage in report["stages"]]
    pages = [name for name in names if (folder / f"{name}.html").is_file()]
    pictures = [(name, *picture) for name in pages for picture in _pictures(folder / f"{name}.ipynb")]
    environment = Environment(loader=FileSystemLoader(_TEMPLATES), autoescape=True)
    environment.filters["time"] = lambda text: f"{datetime.fromisoformat(text).astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    template = environment.get_template("run.html.j2")
    page = folder / "index.html"
    write_atomically(page, template.render(report=report, pages=pages, pictures=pictures).encode())
    return page


def _pictures(notebook: Path) -> Iterator[tuple[str, str]]:
    """Yield a notebook's pictures with what they show.

    They are PNG in base64.
    """
    import nbformat

    for cell in nbformat.read(notebook, nbformat.NO_CONVERT).cells:
        for output in cell.get("outputs", ()):
            if picture := output.get("data", {}).get("image/png"):
                yield picture, output.metadata.get("image/png", {}).get("alt") or f"Picture of {notebook.stem}"


def _escaped(fact: str) -> str:
    return "".join(f"\\{sign}" if sign in "\\`*_{}[]<>#|" else sign for sign in fact)
