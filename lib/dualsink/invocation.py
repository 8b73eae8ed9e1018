"""Commands of this program as a reader types them."""

import sys
from pathlib import Path

_CONSOLE = "dualsink"
_SCRIPT = Path(__file__).parents[2] / "run_all.sh"
_chosen = ""


def choose(choice: str) -> None:
    """Note how the settings were chosen.

    ` --env NAME`, ` --params FILE`, or nothing: messages of this process add it to every command from then on.
    """
    global _chosen
    _chosen = choice


def command(words: str) -> str:
    """Return a command of this program, ready to type.

    It is one of `run_all.sh` in a checkout, else of the console command.
    """
    console = Path(sys.argv[0]).name == _CONSOLE or not _SCRIPT.is_file()
    return f"{_CONSOLE if console else './run_all.sh'} {words}{_chosen}"
