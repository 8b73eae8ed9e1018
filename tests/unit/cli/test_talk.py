"""What a command prints: each line once, progress on standard error."""

import logging

import pytest

from dualsink.cli.parsing import parse
from dualsink.cli.talk import Talk
from dualsink.progress import PROGRESS
from dualsink.settings import Settings


def test_a_results_line_that_was_said_while_it_was_made_is_not_said_again(capsys):
    with Talk() as talk:
        talk("step 1")
        talk.rest(["step 1", "figures"])
    assert capsys.readouterr().out == "step 1\nfigures\n"


def test_progress_is_on_standard_error_while_a_command_runs_and_nowhere_else(capsys):
    with Talk():
        PROGRESS.info("Starting Spark")
    PROGRESS.info("unheard")
    found = capsys.readouterr()
    assert (found.out, found.err) == ("", "Starting Spark\n")


@pytest.mark.parametrize("client", ["kafka", "opensearch", "opensearch.trace", "urllib3.connectionpool"])
def test_clients_of_servers_say_nothing_beside_a_command(client):
    with Talk():
        assert not logging.getLogger(client).isEnabledFor(logging.WARNING)


def test_a_text_of_a_log_cannot_drive_the_terminal(capsys):
    with Talk() as talk:
        talk("message: \x1b]0;owned\x07")
    assert capsys.readouterr().out == "message: \\u001b]0;owned\\u0007\n"


def test_nor_can_a_line_that_is_parsed(tmp_path, capsys):
    file = tmp_path / "hostile.ndjson"
    file.write_text('{"timestamp": "2026-11-27T10:00:00Z", "message": "\\u001b[2J\\u202etxt"}\n', encoding="utf-8")
    parse(Settings(), print, file)
    assert "message: \\u001b[2J\\u202etxt" in capsys.readouterr().out
