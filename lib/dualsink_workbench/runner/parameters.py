"""Parameters that papermill injects into a notebook.

Those that it declares, and a file of all others.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from dualsink.settings import PARAMS_FILE, Settings


def write(settings: Settings, file: Path) -> Path:
    """Write all parameters to a params file; returns that file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(settings.parameters(), sort_keys=False, allow_unicode=True), encoding="utf-8")
    return file


def for_notebook(notebook: Path, settings: Settings, file: Path) -> Mapping[str, Any]:
    """Return the parameters that a notebook declares, by name.

    `file`, made by `write`, has the rest.
    """
    import papermill  # takes a second

    values, declared = settings.parameters(), papermill.inspect_notebook(str(notebook))
    return {PARAMS_FILE: str(file)} | {name: values[name] for name in declared if name in values}
