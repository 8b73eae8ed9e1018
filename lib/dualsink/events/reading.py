"""Reading of a pipeline's records.

The formats of a user's own, and what the bytes are.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from dualsink.errors import SettingsError
from dualsink.events import user_formats
from dualsink.events.parser import Parser

if TYPE_CHECKING:  # processes that parse need no settings, which take as long to import as the parser
    from dualsink.settings import Settings


@dataclass(frozen=True)
class Reading:
    """Reading: a user's formats, and the form of the bytes.

    The formats are text: Spark's workers may not have them as a file.
    """

    formats: str = ""
    record_format: str = "auto"

    @classmethod
    def of(cls, settings: "Settings") -> "Reading":
        """Read the file `formats`, if any.

        Raises SettingsError with file, line and field for what is no declaration.
        """
        reading = cls(_text(Path(settings.formats)) if settings.formats else "", settings.record_format)
        user_formats.parse(reading.formats, settings.formats)
        return reading

    @property
    def parser(self) -> Parser:
        """Parser of these formats, one for each process."""
        return _parser(self)


@lru_cache(maxsize=8)
def _parser(reading: Reading) -> Parser:
    return Parser(user_formats.parse(reading.formats), reading.record_format)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"Cannot read the formats {path}: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        raise SettingsError(f"Cannot read the formats {path}: no UTF-8 ({error.reason}).") from None
