"""Command table, and the parser made from it."""

import errno
import inspect
import os
import shlex
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from dualsink import invocation, words
from dualsink.cli.talk import Talk
from dualsink.errors import DualsinkError, SettingsError
from dualsink.settings import PATHS, Settings, anchored, params_files, project_root

HELP = "Application logs from Kafka to OpenSearch and an Iceberg archive, with a proof that both hold the same."
_NO_PLACE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.ENOSPC, errno.EDQUOT}
_OTHER_PLACES = (
    "Make room, or choose another folder: -p data_dir FOLDER, -p runs_dir FOLDER, the variable DUALSINK_CACHE for jars."
)
STYLE = {
    "no_args_is_help": True,
    "add_completion": False,
    "rich_markup_mode": None,
    "pretty_exceptions_enable": False,
    "context_settings": {"help_option_names": ["-h", "--help"]},
}


@dataclass(frozen=True)
class Option:
    """Option with its names, or without names an argument.

    A Path is relative to where the command was given. Without a default it must be given. `sets` is the parameter that
    it represents.
    """

    name: str
    help: str
    kind: Any = str
    default: Any = inspect.Parameter.empty
    metavar: str | None = None
    least: float | None = None
    sets: str = ""

    def parameter(self, name: str) -> inspect.Parameter:
        """Return it as typer reads it from a function."""
        about = typer.Option(*self.name.split(), help=self.help, metavar=self.metavar, min=self.least)
        if not self.name:
            about = typer.Argument(help=self.help, metavar=self.metavar)
        kind = Annotated[self.kind, about]
        return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=self.default, annotation=kind)


def flag(name: str, help: str, sets: str = "") -> Option:
    """Return an option without a value."""
    return Option(name, help, bool, False, sets=sets)


@dataclass(frozen=True)
class Command:
    """Command of the table.

    A name of two words is one of a group, an entry without a job is a group.

    `job` is `module:function`, imported when the command runs, so that help needs no Spark. It is called with the
    settings, a function that prints a line, and `options` by name. It returns a Result, an exit status, or None.
    """

    name: str
    help: str
    job: str = ""
    options: Mapping[str, Option] = field(default_factory=dict)

    def run(self, here: Path, given: dict[str, Any]) -> int:
        """Run the job; return the exit status.

        `given` are the options and arguments of the command line.
        """
        fixed = {option.sets: given.pop(name) for name, option in self.options.items() if option.sets}
        env, param, params, secure = (given.pop(name) for name in COMMON)
        env = _secure(env, params) if secure else env
        invocation.choose(_choice(env, params))
        settings = settings_of(here, env, param, params, **fixed)
        options = {name: here / value if isinstance(value, Path) else value for name, value in given.items()}
        with Talk() as talk:
            return self._report(talk, self._job()(settings, talk, **options))

    def _job(self) -> Any:
        module, _, function = self.job.partition(":")
        return getattr(import_module(module), function)

    def _report(self, talk: Talk, result: Any) -> int:
        if result is None or isinstance(result, int):
            return result or 0
        talk.rest(result.lines())
        result.check()
        talk(f"{self.name}: {result.fact}")
        return result.exit_status


COMMON = {
    "env": Option("--env", "Environment: a name in params/, or a file.", default="local", metavar="NAME|PATH"),
    "param": Option("-p --param", "Set one parameter; repeatable.", list[str] | None, None, "NAME VALUE"),
    "params": Option("--params", "Params files instead of --env; later ones win.", default="", metavar="FILE[,FILE]"),
    "secure": flag("--secure", "Short for --env secure: local servers with TLS, users and rights."),
}
"""Options of every command: they choose the settings."""


def application(commands: Iterable[Command]) -> typer.Typer:
    """Make the parser of a table of commands."""
    groups = {"": typer.Typer(help=HELP, **STYLE)}
    groups[""].callback(help=HELP)(_project)
    for command in commands:
        place, _, name = command.name.rpartition(" ")
        if command.job:
            groups[place].command(name, help=command.help)(_callback(command))
        else:
            groups[command.name] = typer.Typer(help=command.help, **STYLE)
            groups[""].add_typer(groups[command.name], name=command.name)
    return groups[""]


def _project(context: typer.Context, project: Annotated[Path | None, typer.Option(hidden=True)] = None) -> None:
    context.obj = Path.cwd()
    if project:
        os.chdir(project)


def _callback(command: Command) -> Callable[..., None]:
    def call(given: dict[str, Any]) -> None:
        raise typer.Exit(command.run(given.pop("context").obj, given))

    return function_of({**command.options, **COMMON}, call)


def function_of(options: Mapping[str, Option], take: Callable[[dict[str, Any]], None]) -> Callable[..., None]:
    """Return a function with these options, for typer.

    They are its parameters, as typer reads them, and typer's context.
    """

    def call(**given: Any) -> None:
        take(given)

    context = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
    call.__signature__ = inspect.Signature([context, *(option.parameter(name) for name, option in options.items())])
    return call


@contextmanager
def orderly_end() -> Iterator[None]:
    """End the process as `main` says.

    So it does whatever the block raises and whichever signal comes.
    """
    _raise_on_signals()
    try:
        yield
    except DualsinkError as error:
        print(words.visible(str(error)), file=sys.stderr)
        sys.exit(2 if isinstance(error, SettingsError) else 1)
    except OSError as error:
        if error.errno not in _NO_PLACE:
            raise
        print(f"{error.filename or 'The disk'}: {error.strerror}. {_OTHER_PLACES}", file=sys.stderr)
        sys.exit(1)


def _raise_on_signals() -> None:
    """Make Ctrl-C and termination raise.

    Every `finally` then runs, also if a parent shell ignored them.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for kind in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(kind, lambda number, frame: sys.exit(128 + number))


def pair_parameters(arguments: list[str]) -> list[str]:
    """Write `-p name value` as `-p name=value`.

    The parser takes one value for each option.
    """
    paired, rest = [], iter(arguments)
    for argument in rest:
        paired.append(argument)
        if argument in ("-p", "--param"):
            name = next(rest, None)
            value = None if name is None or "=" in name else next(rest, None)
            paired += [part for part in (name if value is None else f"{name}={value}",) if part is not None]
    return paired


# -- settings ----------------------------------------------------------------------------------------


def settings_of(here: Path, env: str, param: list[str] | None, params: str = "", **fixed: Any) -> Settings:
    """Return settings from files, then `-p`, then options.

    Files are an environment's or params files. Relative paths are relative to `here`.

    Outside of a checkout the environment `local` is the defaults.
    """
    files = [here / file for file in params.split(",")] if params else _files(here, env)
    return Settings.load(files, _overrides(here, param or []) | {k: v for k, v in fixed.items() if v})


def _files(here: Path, env: str) -> list[Path]:
    folder = project_root() / "params"
    if env == "local" and not folder.is_dir():
        return []
    named = (folder / f"{env}.yaml").is_file() or not (here / env).is_file()
    return params_files(env if named else str(here / env))


def _overrides(here: Path, pairs: list[str]) -> dict[str, str]:
    values = {}
    for pair in pairs:
        name, sign, value = pair.partition("=")
        if not sign:
            raise SettingsError(f"-p {name} lacks its value: write -p NAME VALUE.")
        values[name] = anchored(value, here) if name in PATHS else value
    return values


def _secure(env: str, params: str) -> str:
    if params or env not in ("local", "secure"):
        raise SettingsError(f"--secure is --env secure, and does not go with {_choice(env, params).strip()}.")
    return "secure"


def _choice(env: str, params: str) -> str:
    if params:
        return f" --params {shlex.quote(params)}"
    return "" if env == "local" else f" --env {env}"
