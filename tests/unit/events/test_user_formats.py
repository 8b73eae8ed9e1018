"""Formats of a user's own: read from YAML, used before all others, refused with file, line and field."""

import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.corpus import KAFKA_TIMESTAMP, MICROS

from dualsink.errors import SettingsError
from dualsink.events.parser import Event
from dualsink.events.reading import Reading
from dualsink.settings import Settings

GATEWAY = """\
formats:
  - name: our gateway
    recognised_by: [gw_ts, gw_text]
    time: {place: gw_ts, unit: ms}
    level: {place: gw_sev, scale: {1: ERROR, 2: WARN}}
    message: gw_text
    service: [gw_app, app]
"""
RECORD = b'{"gw_ts":1795428000000,"gw_sev":1,"gw_text":"refused","gw_app":"edge","other":7}'


def settings_with(folder: Path, text: str, **more: str) -> Settings:
    path = folder / "formats.yaml"
    path.write_text(text, encoding="utf-8")
    return Settings(formats=str(path), **more)


def test_a_format_of_a_users_own_is_used(tmp_path):
    parser = Reading.of(settings_with(tmp_path, GATEWAY)).parser
    event = parser.parse(RECORD, None, KAFKA_TIMESTAMP)
    assert isinstance(event, Event), event
    assert (event.timestamp, event.level, event.message, event.service) == (MICROS, "ERROR", "refused", "edge")
    assert event.attributes == '{"other":7}'
    assert parser.formats_of(RECORD)[0] == "our gateway"


@pytest.mark.parametrize(
    ("change", "line", "field"),
    [
        (("message: gw_text", "massage: gw_text"), 6, "massage"),
        (("unit: ms", "unit: minutes"), 4, "time.unit"),
        (("2: WARN", "2: LOUD"), 5, "level.scale.2"),
        (("    recognised_by: [gw_ts, gw_text]\n", ""), 2, "recognised_by"),
        (("service: [gw_app, app]", "service: {}"), 7, "service.place"),
        (("formats:", "format:"), 1, "formats"),
        (("name: our gateway", "name: [a]"), 2, "name"),
    ],
)
def test_a_mistake_is_named_with_line_and_field(tmp_path, change, line, field):
    settings = settings_with(tmp_path, GATEWAY.replace(*change))
    with pytest.raises(SettingsError) as error:
        Reading.of(settings)
    assert str(error.value).startswith(f"{settings.formats}:{line}: `{field}`")


def test_what_is_no_yaml_is_named_with_its_line(tmp_path):
    with pytest.raises(SettingsError, match=r"formats.yaml:3: no YAML"):
        Reading.of(settings_with(tmp_path, "formats:\n  - name: [\n"))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SettingsError, match=r"none.yaml: No such file"):
        Reading.of(Settings(formats=str(tmp_path / "none.yaml")))


def test_bytes_that_are_no_text_are_named(tmp_path):
    (tmp_path / "formats.yaml").write_bytes(b"formats: \xff")
    with pytest.raises(SettingsError, match=r"formats.yaml: no UTF-8"):
        Reading.of(Settings(formats=str(tmp_path / "formats.yaml")))


def test_a_worker_needs_no_file(tmp_path):
    """A scale of a user's own is known wherever the formats are compiled."""
    settings = settings_with(tmp_path, GATEWAY, record_format="json")
    sent = pickle.dumps(Reading.of(settings))
    (tmp_path / "formats.yaml").unlink()
    code = (
        "import pickle, sys; reading = pickle.load(sys.stdin.buffer);"
        f"print(reading.parser.parse({RECORD!r}, None, {KAFKA_TIMESTAMP}).level)"
    )
    worker = subprocess.run([sys.executable, "-c", code], input=sent, capture_output=True, check=True)
    assert worker.stdout == b"ERROR\n"
