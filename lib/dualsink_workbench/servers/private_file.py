"""Files that hold secrets."""

import os
import secrets
from pathlib import Path


def write(file: Path, content: str) -> None:
    """Replace a file at once, readable by its owner alone."""
    draft = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    with open(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as handle:
        handle.write(content)
    os.replace(draft, file)
