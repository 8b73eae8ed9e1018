"""Formats of a user's own, declared in a YAML file.

formats:
  - name: our gateway
    recognised_by: [gw_ts, gw_text]
    time: {place: gw_ts, unit: ms}
    level: {place: gw_sev, scale: {1: ERROR, 2: WARN, 3: INFO}}
    message: gw_text
    service: [gw_app, app]
"""

from collections.abc import Iterator
from typing import Any, NoReturn

import yaml

from dualsink.errors import SettingsError
from dualsink.events.formats import PLACES, Format, Place, fold
from dualsink.events.levels import SCALES, own_scale
from dualsink.events.model import LEVELS
from dualsink.events.readers import READERS
from dualsink.events.timestamps import UNITS

_TEXTS = ("specification", "default_level", "events", "example")
_KEYS = ("name", "recognised_by", *_TEXTS, *PLACES)


def parse(text: str, file: str = "formats") -> tuple[Format, ...]:
    """Parse the formats that a YAML text declares.

    None for an empty one. Raises SettingsError with file, line and field for what is no declaration.
    """
    if not text:
        return ()
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise SettingsError(
            f"{file}:{mark.line + 1 if mark else 1}: no YAML ({getattr(error, 'problem', error)})."
        ) from None
    return _File(file).formats(root)


class _File:
    def __init__(self, name: str) -> None:
        self._name = name

    def formats(self, root: yaml.Node | None) -> tuple[Format, ...]:
        """Return the declarations under `formats`."""
        entries = self._mapping(root, "the file")
        if list(entries) != ["formats"]:
            self._fail(root, "formats", "the file must hold one key, `formats`")
        found = [self._format(node) for node in self._sequence(entries["formats"], "formats")]
        names = [format.name for format in found]
        if twice := {name for name in names if names.count(name) > 1}:
            self._fail(entries["formats"], "name", f"{', '.join(sorted(twice))} stands twice")
        return tuple(found)

    def _format(self, node: yaml.Node) -> Format:
        entries = self._mapping(node, "a format")
        for name in ("name", "recognised_by"):
            if name not in entries:
                self._fail(node, name, "is missing")
        if strange := next((name for name in entries if name not in _KEYS), None):
            self._fail(entries[strange], strange, f"is no field of a format; there are {', '.join(_KEYS)}")
        fields: dict[str, Any] = {"name": self._text(entries.pop("name"), "name"), "specification": ""}
        fields["marks"] = tuple(self._texts(entries.pop("recognised_by"), "recognised_by"))
        for name, value in entries.items():
            fields[name] = tuple(self._places(value, name)) if name in PLACES else self._text(value, name)
        if fields.get("default_level", "INFO") not in LEVELS:
            self._fail(entries["default_level"], "default_level", f"must be one of {', '.join(LEVELS)}")
        return Format(**fields)

    def _places(self, node: yaml.Node, name: str) -> Iterator[Place]:
        for item in node.value if isinstance(node, yaml.SequenceNode) else [node]:
            if isinstance(item, yaml.MappingNode):
                yield self._place(item, name)
            else:
                yield Place(fold(self._text(item, name)))

    def _place(self, node: yaml.Node, name: str) -> Place:
        entries = self._mapping(node, name)
        allowed = {"time": "unit", "level": "scale"}.get(name, "reader")
        if strange := next((key for key in entries if key not in ("place", "stays", allowed)), None):
            self._fail(entries[strange], f"{name}.{strange}", f"is not known; there are place, {allowed}, stays")
        if "place" not in entries:
            self._fail(node, f"{name}.place", "is missing")
        reads = self._reads(entries[allowed], name, allowed) if allowed in entries else ""
        stays = "stays" in entries and self._text(entries["stays"], "stays") == "true"
        return Place(fold(self._text(entries["place"], f"{name}.place")), reads, stays)

    def _reads(self, node: yaml.Node, name: str, allowed: str) -> str:
        if allowed == "scale" and isinstance(node, yaml.MappingNode):
            return own_scale(self._scale(node))
        known = {"unit": UNITS, "scale": SCALES, "reader": READERS}[allowed]
        text = self._text(node, f"{name}.{allowed}")
        if text not in known:
            self._fail(node, f"{name}.{allowed}", f"{text!r} is not known; there are {', '.join(known)}")
        return text

    def _scale(self, node: yaml.Node) -> dict[int, str]:
        found = {}
        for number, level in self._mapping(node, "level.scale").items():
            text = self._text(level, f"level.scale.{number}")
            if not number.lstrip("-").isdecimal() or text not in LEVELS:
                self._fail(level, f"level.scale.{number}", f"must be a number and one of {', '.join(LEVELS)}")
            found[int(number)] = text
        return found

    def _mapping(self, node: yaml.Node | None, name: str) -> dict[str, yaml.Node]:
        if not isinstance(node, yaml.MappingNode):
            self._fail(node, name, "must be a mapping of names to values")
        return {key.value: value for key, value in node.value}

    def _sequence(self, node: yaml.Node, name: str) -> list[yaml.Node]:
        if not isinstance(node, yaml.SequenceNode):
            self._fail(node, name, "must be a list")
        return node.value

    def _texts(self, node: yaml.Node, name: str) -> list[str]:
        items = node.value if isinstance(node, yaml.SequenceNode) else [node]
        return [self._text(item, name) for item in items]

    def _text(self, node: yaml.Node, name: str) -> str:
        if not isinstance(node, yaml.ScalarNode) or not node.value.strip():
            self._fail(node, name, "must be a text")
        return node.value

    def _fail(self, node: yaml.Node | None, name: str, what: str) -> NoReturn:
        line = node.start_mark.line + 1 if node else 1
        raise SettingsError(f"{self._name}:{line}: `{name}` {what}.")
