"""Keys of the local S3 server: random, made once, kept in a file that only its owner reads."""

import json
import os
import secrets
from pathlib import Path

from dualsink.settings import Settings


def export_credentials(settings: Settings) -> None:
    """Put the local S3 keys into the environment under the names that the settings give; make them first if need be."""
    keys = _read(credentials_file(settings)) or _create(credentials_file(settings))
    os.environ[settings.s3_access_key_env] = keys["access_key"]
    os.environ[settings.s3_secret_key_env] = keys["secret_key"]


def credentials_file(settings: Settings) -> Path:
    """Where the local keys are kept."""
    return settings.data_path / "credentials.json"


def _read(file: Path) -> dict[str, str] | None:
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None


def _create(file: Path) -> dict[str, str]:
    """Write new keys, or return the ones that another process has written meanwhile."""
    file.parent.mkdir(parents=True, exist_ok=True)
    keys = {"access_key": f"local{secrets.token_hex(8)}", "secret_key": secrets.token_urlsafe(32)}
    draft = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    with open(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as handle:
        json.dump(keys, handle)
    try:
        os.link(draft, file)
    except FileExistsError:
        keys = _read(file)
    finally:
        draft.unlink()
    return keys
