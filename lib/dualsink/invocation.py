"""Commands of this program, as the reader of a message types them."""

import sys
from pathlib import Path

_CONSOLE = "dualsink"
_SCRIPT = Path(__file__).parents[2] / "run_all.sh"
_chosen = ""


def choose(choice: str) -> None:
    """Note how settings were chosen: ` --env NAME`, ` --params FILE`, or nothing.

    Messages of this process name it with every command from then on.
    """
    global _chosen
    _chosen = choice


def command(words: str) -> str:
    """Return a command of this program, such as `up`, to be typed.

    It is one of `run_all.sh` in a checkout, else of the console command.
    """
    console = Path(sys.argv[0]).name == _CONSOLE or not _SCRIPT.is_file()
    return f"{_CONSOLE if console else './run_all.sh'} {words}{_chosen}"
