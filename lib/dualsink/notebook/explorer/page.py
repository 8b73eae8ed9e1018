"""Explorer's page: its files, and a widget for JupyterLab."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import anywidget

from dualsink.notebook.explorer import requests
from dualsink.notebook.explorer.cancellation import Cancellation
from dualsink.notebook.explorer.stores import Stores

STATIC = Path(__file__).with_name("static")
_SCRIPTS = ("dom", "chart", "filters", "table", "app")


def script() -> str:
    """Return the page's scripts as one module.

    A widget takes a single file.
    """
    return "\n".join((STATIC / f"{name}.js").read_text("utf-8") for name in _SCRIPTS)


class Page(anywidget.AnyWidget):
    """Page of one environment, answered by the kernel."""

    _esm = script()
    _css = STATIC / "explorer.css"

    def __init__(self, stores: Stores):
        super().__init__()
        self._stores = stores
        self._threads = ThreadPoolExecutor(2)
        self._running: dict[int, Cancellation] = {}
        self.on_msg(lambda _, asked, __: self.ask(asked))

    def ask(self, asked: dict[str, Any]) -> None:
        """Answer a numbered message in a thread.

        A number without a message cancels that answer.
        """
        number = asked["number"]
        if "message" in asked:
            cancellation = self._running[number] = Cancellation()
            self._threads.submit(self._answer, number, asked["message"], cancellation)
        elif running := self._running.get(number):
            running.request()

    def _answer(self, number: int, message: dict[str, Any], cancellation: Cancellation) -> None:
        try:
            self.send({"to": number, "reply": requests.answer(self._stores, message, cancellation)})
        finally:
            self._running.pop(number, None)
