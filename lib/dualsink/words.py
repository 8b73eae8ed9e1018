"""Numbers and texts as people read them."""

import unicodedata

_HARMLESS = "\n\t\u200c\u200d"
_UNITS = ("kB", "MB", "GB", "TB")


def count(number: int, thing: str, things: str = "") -> str:
    """Write a number with its noun.

    `1 batch`, `2 batches`; the plural is `things`, by default with an s.
    """
    return f"{number:,} {thing if number == 1 else things or f'{thing}s'}"


def visible(text: str) -> str:
    """Return a text whose hidden signs are written out.

    What drives a terminal or turns the text around (control characters, marks of direction and format) becomes
    `\\u001b`. Line ends and tabs stay, and what joins emoji.
    """
    return text if text.isprintable() else "".join(map(_visible, text))


def _visible(sign: str) -> str:
    hidden = unicodedata.category(sign) in ("Cc", "Cf") and sign not in _HARMLESS
    return (f"\\u{ord(sign):04x}" if ord(sign) < 0x10000 else f"\\U{ord(sign):08x}") if hidden else sign


def size(number: float) -> str:
    """Write bytes with a decimal unit.

    Two or three digits: `812 bytes`, `1.2 kB`, `34 MB`.
    """
    if number < 1000:
        return count(int(number), "byte")
    for unit in _UNITS:
        number /= 1000
        if number < 1000 or unit == _UNITS[-1]:
            break
    return f"{number:,.1f} {unit}" if number < 10 else f"{number:,.0f} {unit}"
