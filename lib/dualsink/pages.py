"""An executed notebook as one HTML file for people without Jupyter."""

from pathlib import Path

_NO_ADDRESSES = dict.fromkeys(
    ["mathjax_url", "require_js_url", "jquery_url", "mermaid_js_url", "mermaid_layout_elk_js_url"], ""
)
"""The page loads nothing from elsewhere: in years it must look as it does today."""


def write(notebook: Path) -> Path:
    """Render an executed notebook to an HTML file beside it, pictures within; returns that file."""
    from nbconvert import HTMLExporter

    text, _ = HTMLExporter(**_NO_ADDRESSES).from_filename(str(notebook))
    page = notebook.with_suffix(".html")
    page.write_text(text, encoding="utf-8")
    return page
