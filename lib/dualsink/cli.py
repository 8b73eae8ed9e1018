"""The command line: `python -m dualsink` and `./run_all.sh`."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from dualsink import summary
from dualsink.errors import DualsinkError, PlatformError, SettingsError
from dualsink.settings import Settings, anchored, params_files, project_root

app = typer.Typer(
    help="Application logs from Kafka to OpenSearch and an Iceberg archive, with a proof that both hold the same.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Env = Annotated[str, typer.Option("--env", metavar="NAME|PATH", help="Environment: a name in params/, or a file.")]
Param = Annotated[
    list[str] | None, typer.Option("-p", "--param", metavar="NAME VALUE", help="Set one parameter; repeatable.")
]
With = Annotated[list[str] | None, typer.Option("--with", metavar="trino", help="Start this optional server too.")]
Params = Annotated[
    str, typer.Option("--params", metavar="FILE[,FILE]", help="Params files instead of --env; later ones win.")
]


def main(arguments: list[str] | None = None) -> None:
    """Run one command; a failure that this package knows is one message, not a traceback.

    Exit status: 0, 1 for a failure, 2 for a mistake in options or parameters, 130 after Ctrl-C, 143 after SIGTERM.
    """
    with orderly_end():
        app(args=pair_parameters(sys.argv[1:] if arguments is None else arguments), prog_name="dualsink")


@contextmanager
def orderly_end() -> Iterator[None]:
    """End as `main` says, whatever the block raises and whichever signal comes."""
    _end_properly_when_told()
    try:
        yield
    except DualsinkError as error:
        print(error, file=sys.stderr)
        sys.exit(2 if isinstance(error, SettingsError) else 1)


def pair_parameters(arguments: list[str]) -> list[str]:
    """`-p name value` as `-p name=value`: the parser takes one value an option."""
    paired, rest = [], iter(arguments)
    for argument in rest:
        paired.append(argument)
        if argument in ("-p", "--param"):
            name = next(rest, None)
            value = None if name is None or "=" in name else next(rest, None)
            paired += [part for part in (name if value is None else f"{name}={value}",) if part is not None]
    return paired


def _end_properly_when_told() -> None:
    """Ctrl-C and termination raise, so that every `finally` runs, also where a parent shell ignored them."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for kind in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(kind, lambda number, frame: sys.exit(128 + number))


@app.callback()
def _project(context: typer.Context, project: Annotated[Path | None, typer.Option(hidden=True)] = None) -> None:
    """Application logs from Kafka to OpenSearch and an Iceberg archive, with a proof that both hold the same."""
    context.obj = Path.cwd()
    if project:
        os.chdir(project)


def settings_of(here: Path, env: str, param: list[str] | None, params: str = "", **fixed: Any) -> Settings:
    """Settings from an environment or params files, then `-p`, then options. Relative paths are relative to `here`."""
    if params:
        files = [here / file for file in params.split(",")]
    else:
        named = project_root() / "params" / f"{env}.yaml"
        files = params_files(env if named.is_file() or not (here / env).is_file() else str(here / env))
    return Settings.load(files, _overrides(here, param or []) | {k: v for k, v in fixed.items() if v})


def _overrides(here: Path, pairs: list[str]) -> dict[str, str]:
    from dualsink.runner import PATHS

    values = {}
    for pair in pairs:
        name, sign, value = pair.partition("=")
        if not sign:
            raise SettingsError(f"-p {name} lacks its value: write -p NAME VALUE.")
        values[name] = anchored(value, here) if name in PATHS else value
    return values


# -- the main job ------------------------------------------------------------------------------------


@app.command()
def run(
    context: typer.Context,
    env: Env = "local",
    param: Param = None,
    stages: Annotated[str, typer.Option(help="Only these, for example 01,03 or 06_chaos; default: 01 to 05.")] = "",
    run_id: Annotated[str, typer.Option(help="Name of the folder in runs/; default: time and environment.")] = "",
    keep_servers: Annotated[bool, typer.Option("--keep-servers", help="Leave the servers running.")] = False,
    extra: With = None,
) -> None:
    """Run the notebooks one after the other: start servers, run stages, show the ledger."""
    from dualsink import runner

    settings = settings_of(context.obj, env, param, run_id=run_id)
    chosen = [stage.strip() for stage in stages.split(",") if stage.strip()]
    raise typer.Exit(runner.run(settings, chosen, summary.console(), keep_servers, env, extra or ()))


@app.command()
def lab(context: typer.Context, env: Env = "local", param: Param = None, extra: With = None) -> None:
    """Start the servers and JupyterLab on 127.0.0.1; Ctrl-C stops both."""
    from dualsink import lab, runner

    settings = runner.absolute(settings_of(context.obj, env, param))
    raise typer.Exit(lab.run(settings, summary.console(), extra or ()))


@app.command()
def explore(
    context: typer.Context,
    env: Env = "local",
    param: Param = None,
    port: Annotated[int, typer.Option(help="Port of the page, or the next free one.")] = 8866,
) -> None:
    """Start the servers and the log explorer, a page on 127.0.0.1; Ctrl-C stops both."""
    from dualsink import runner
    from dualsink.explorer import serve

    raise typer.Exit(serve.run(runner.absolute(settings_of(context.obj, env, param)), summary.console(), port))


# -- servers -----------------------------------------------------------------------------------------


@app.command()
def up(context: typer.Context, env: Env = "local", param: Param = None, extra: With = None) -> None:
    """Start the local servers and leave them running."""
    settings = settings_of(context.obj, env, param)
    if _is_local(settings):
        started = _servers(settings).up(extra or ())
        typer.echo(f"Started {', '.join(started)}." if started else "All servers run already.")


@app.command()
def down(context: typer.Context, env: Env = "local", param: Param = None) -> None:
    """Stop the local servers; their data stays."""
    settings = settings_of(context.obj, env, param)
    if _is_local(settings):
        servers = _servers(settings)
        running = [server.name for server in servers.status() if server.running]
        servers.down()
        typer.echo(f"Stopped {', '.join(running)}." if running else "No server was running.")


@app.command()
def status(
    context: typer.Context,
    env: Env = "local",
    param: Param = None,
    as_json: Annotated[bool, typer.Option("--json", help="Every address, process and name, for programs.")] = False,
) -> None:
    """Show the servers, and where topic, tables and index are."""
    from dualsink import places

    settings = settings_of(context.obj, env, param)
    found = places.describe(settings)
    if as_json:
        typer.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())
    else:
        places.show(found, summary.console())


@app.command()
def clean(
    context: typer.Context,
    env: Env = "local",
    param: Param = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete the environment's data folder: what the local servers stored, checkpoints, logs. Runs stay."""
    settings = settings_of(context.obj, env, param)
    if not _is_local(settings):
        return
    folder = settings.data_path
    if not folder.exists():
        typer.echo(f"Nothing to delete: {folder} does not exist.")
        return
    servers = _servers(settings)
    if running := [server.name for server in servers.status() if server.running]:
        raise PlatformError(f"{', '.join(running)} still run: stop them first, with ./run_all.sh down --env {env}")
    if not yes and not sys.stdin.isatty():
        raise PlatformError(f"This deletes {folder}: say --yes where nobody can be asked.")
    if not yes and not typer.confirm(f"Delete {folder} with everything in it?"):
        raise typer.Exit(1)
    servers.clean()
    typer.echo(f"Deleted {folder}.")


def _is_local(settings: Settings) -> bool:
    if settings.servers == "external":
        typer.echo(f"The servers of environment {settings.environment} are external: not started or stopped from here.")
    return settings.servers == "local"


def _servers(settings: Settings) -> Any:
    from dualsink.local.servers import LocalServers

    return LocalServers(settings)


# -- stages and repairs without notebooks ------------------------------------------------------------


def _job(context: typer.Context, name: str, env: str, param: list[str] | None, params: str, *more: Any) -> None:
    from dualsink import jobs

    settings = settings_of(context.obj, env, param, params)
    _, fact = getattr(jobs, name)(settings, typer.echo, *more)
    typer.echo(f"{context.info_name}: {fact}")


@app.command()
def setup(context: typer.Context, env: Env = "local", param: Param = None, params: Params = "") -> None:
    """Check the servers; create topic, tables, index template. Runs without a notebook."""
    _job(context, "setup", env, param, params)


@app.command()
def produce(context: typer.Context, env: Env = "local", param: Param = None, params: Params = "") -> None:
    """Send events to the topic. Runs without a notebook."""
    _job(context, "produce", env, param, params)


@app.command()
def stream(context: typer.Context, env: Env = "local", param: Param = None, params: Params = "") -> None:
    """Write the topic to both stores. Runs without a notebook."""
    _job(context, "run_stream", env, param, params)


@app.command()
def query(context: typer.Context, env: Env = "local", param: Param = None, params: Params = "") -> None:
    """Ask both stores some questions. Runs without a notebook."""
    _job(context, "query", env, param, params)


@app.command()
def validate(context: typer.Context, env: Env = "local", param: Param = None, params: Params = "") -> None:
    """Take the ledger; fail where it does not hold. Runs without a notebook."""
    _job(context, "validate", env, param, params)


@app.command()
def redrive(context: typer.Context, env: Env = "local", param: Param = None, params: Params = "") -> None:
    """Parse the quarantine again with today's code: what is good now reaches both stores once, the rest stays."""
    _job(context, "redrive", env, param, params)


@app.command()
def replay(
    context: typer.Context,
    start: Annotated[str, typer.Option("--from", help="A time (UTC), an offset, or 0:1200,3:900 by partition.")],
    end: Annotated[str, typer.Option("--to", help="Likewise; not included.")],
    env: Env = "local",
    param: Param = None,
    params: Params = "",
) -> None:
    """Put a range of the topic through both sinks again; only what is missing is added, and told."""
    _job(context, "replay", env, param, params, start, end)


@app.command()
def repair(context: typer.Context, env: Env = "local", param: Param = None, params: Params = "") -> None:
    """Make OpenSearch equal to the archive on days where the ledger differs: documents are written and deleted."""
    _job(context, "repair", env, param, params)


@app.command()
def retention(
    context: typer.Context,
    env: Env = "local",
    param: Param = None,
    params: Params = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done and why; change nothing.")] = False,
) -> None:
    """Age the hot tier: install ISM's policy where there is one, merge closed days, delete proven expired ones."""
    _job(context, "retention", env, param, params, dry_run)


# -- back to hot -------------------------------------------------------------------------------------


@app.command()
def rehydrate(
    context: typer.Context,
    start: Annotated[str, typer.Option("--from", help="Event time, ISO 8601, UTC.")],
    end: Annotated[str, typer.Option("--to", help="Likewise; not included.")],
    where: Annotated[str, typer.Option(help="SQL condition of the archive's columns: service = 'cart'.")] = "",
    env: Env = "local",
    param: Param = None,
    params: Params = "",
) -> None:
    """Put a range of the archive back into OpenSearch for `rehydrated_days`, and prove it; given again, it resumes."""
    _job(context, "rehydrate", env, param, params, start, end, where)


# -- the archive over the years ----------------------------------------------------------------------


@app.command()
def maintain(
    context: typer.Context,
    env: Env = "local",
    param: Param = None,
    params: Params = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done and why; change nothing.")] = False,
    remove_orphans: Annotated[
        bool, typer.Option("--remove-orphans", help="Delete old files that no snapshot knows, too.")
    ] = False,
) -> None:
    """Compact closed days, rewrite manifests, expire snapshots; safe while the stream runs."""
    more = [*(param or []), "remove_orphans=true"] if remove_orphans else param
    _job(context, "maintain", env, more, params, dry_run)


@app.command()
def cost(
    context: typer.Context,
    picture: Annotated[str, typer.Option(metavar="FILE.png", help="Default: cost.png in the run's folder.")] = "",
    env: Env = "local",
    param: Param = None,
    params: Params = "",
) -> None:
    """Tell what a year of events costs hot and cold, from measured sizes and the prices in the parameters."""
    _job(context, "cost", env, param, params, context.obj / picture if picture else None)


@app.command()
def retire(
    context: typer.Context,
    env: Env = "local",
    param: Param = None,
    params: Params = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List days, and why each stays or goes.")] = False,
    who: Annotated[str, typer.Option(help="Who answers for it, for the audit log; default: user@machine.")] = "",
    why: Annotated[str, typer.Option(help="What the audit log shall say besides the policy.")] = "",
) -> None:
    """Delete days of the archive that are past their years, unless a legal hold keeps them; each is audited."""
    _job(context, "retire", env, param, params, dry_run, who, why)


@app.command()
def audit(
    context: typer.Context,
    at: Annotated[str, typer.Option("--at", metavar="TIME", help="ISO 8601, UTC where it names no zone.")],
    env: Env = "local",
    param: Param = None,
    params: Params = "",
) -> None:
    """Say what the archive held at a time, in which snapshot and commit, and what has gone since and why."""
    _job(context, "audit", env, param, params, at)


# -- for spark-submit ----------------------------------------------------------------------------------


@app.command()
def jars() -> None:
    """Print the jars that spark-submit needs, as its option --jars takes them; fetched the first time."""
    from dualsink.local.jars import spark_jars

    found = spark_jars(lambda line: typer.echo(line, err=True))
    typer.echo(",".join(str(jar) for jar in found))


# -- the hot tier ------------------------------------------------------------------------------------


Rules = Annotated[str, typer.Option(metavar="FILE", help="Rules in YAML; default: alerts/rules.yaml of the project.")]


def _rules_file(here: Path, rules: str) -> Path:
    return here / rules if rules else project_root() / "alerts" / "rules.yaml"


@app.command()
def alerts(
    context: typer.Context,
    rules: Rules = "",
    env: Env = "local",
    param: Param = None,
    params: Params = "",
) -> None:
    """Evaluate the alert rules once; print and send what is new."""
    _job(context, "alerts", env, param, params, _rules_file(context.obj, rules))


@app.command()
def watch(
    context: typer.Context,
    rules: Rules = "",
    every: Annotated[float, typer.Option(min=0.1, help="Seconds from one evaluation to the next.")] = 30,
    env: Env = "local",
    param: Param = None,
    params: Params = "",
) -> None:
    """Evaluate the alert rules again and again, until Ctrl-C."""
    _job(context, "watch", env, param, params, _rules_file(context.obj, rules), every)


@app.command()
def dashboards(context: typer.Context, env: Env = "local", param: Param = None, params: Params = "") -> None:
    """Print the saved objects for OpenSearch Dashboards as NDJSON, to be imported there."""
    from dualsink import dashboards as saved

    typer.echo(saved.ndjson(settings_of(context.obj, env, param, params)), nl=False)
