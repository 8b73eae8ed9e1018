"""The command line: `dualsink`, `python -m dualsink` and `./run_all.sh`."""

import sys
from importlib.metadata import entry_points
from pathlib import Path

from dualsink.cli.command import Command, Option, application, flag, orderly_end, pair_parameters

_START = Option("--from", "A time (UTC), an offset, or 0:1200,3:900 by partition.")
_END = Option("--to", "Likewise; not included.")
_DRY_RUN = flag("--dry-run", "Say what would be done and why; change nothing.")
_WHO = Option("--who", "Who answers for it, for the audit log; default: user@machine.", default="")
_RULES = Option("--rules", "Rules in YAML; default: rules of this package.", Path | None, None, "FILE")

COMMANDS = (
    Command("setup", "Check the servers; create topic, tables, index template.", "dualsink.cli.jobs:setup"),
    Command("produce", "Send events to the topic.", "dualsink.cli.jobs:produce"),
    Command("stream", "Write the topic to both stores.", "dualsink.cli.jobs:run_stream"),
    Command("query", "Ask both stores some questions.", "dualsink.cli.jobs:query"),
    Command(
        "validate",
        "Take the ledger; fail if it does not hold, else seal the days that it proved.",
        "dualsink.cli.jobs:validate",
        {
            "everything": flag("--all", "Read all days, those that are sealed and unchanged too."),
            "chain": flag("--chain", "Verify the chain of seals, and nothing else."),
        },
    ),
    Command(
        "redrive",
        "Parse the quarantine again with today's code: what is good now reaches both stores once, the rest stays.",
        "dualsink.cli.jobs:redrive",
    ),
    Command(
        "replay",
        "Put a range of the topic through both sinks again; only what is missing is added, and named.",
        "dualsink.cli.jobs:replay",
        {"start": _START, "end": _END},
    ),
    Command(
        "repair",
        "Make OpenSearch equal to the archive: documents are written, and deleted where a table holds their records.",
        "dualsink.cli.jobs:repair",
        {
            "dry_run": _DRY_RUN,
            "delete_unknown": Option(
                "--delete-unknown", "Delete unknown documents for good; their number.", int | None, None, "COUNT"
            ),
        },
    ),
    Command(
        "rescue",
        "Archive documents of OpenSearch whose records no table and no topic has; what is no event is quarantined.",
        "dualsink.cli.jobs:rescue",
        {"dry_run": _DRY_RUN, "who": _WHO, "why": Option("--why", "What the audit log shall say of it.", default="")},
    ),
    Command(
        "acknowledge",
        "Answer for records that the ledger finds lost, by their count; audited. The ledger goes on saying how many.",
        "dualsink.cli.jobs:acknowledge",
        {
            "count": Option("--count", "How many records the ledger finds lost.", int, least=1),
            "reason": Option("--reason", "Why they are lost, for the audit log."),
            "who": Option("--who", "Who answers for it; default: user@machine.", default=""),
            "dry_run": _DRY_RUN,
        },
    ),
    Command(
        "rehydrate",
        "Put a range of the archive back into OpenSearch for `rehydrated_days`, and prove it; given again, it resumes.",
        "dualsink.cli.jobs:rehydrate",
        {
            "start": Option("--from", "Event time, ISO 8601, UTC."),
            "end": _END,
            "where": Option("--where", "SQL condition of the archive's columns: service = 'cart'.", default=""),
        },
    ),
    Command(
        "retention",
        "Age the hot tier: install the policy if there is ISM, merge closed days, delete proven expired ones.",
        "dualsink.cli.jobs:retention",
        {"dry_run": _DRY_RUN},
    ),
    Command(
        "maintain",
        "Compact closed days, rewrite manifests, expire snapshots; safe while the stream runs.",
        "dualsink.cli.jobs:maintain",
        {
            "dry_run": _DRY_RUN,
            "remove_orphans": flag(
                "--remove-orphans", "Delete old files that no snapshot knows, too.", "remove_orphans"
            ),
        },
    ),
    Command(
        "retire",
        "Delete days of the archive that are past their years, unless a legal hold keeps them; each is audited.",
        "dualsink.cli.jobs:retire",
        {
            "dry_run": flag("--dry-run", "List days, and why each stays or goes."),
            "who": _WHO,
            "why": Option("--why", "What the audit log shall say besides the policy.", default=""),
        },
    ),
    Command(
        "audit",
        "Say what the archive held at a time, in which snapshot and commit, and what has gone since and why.",
        "dualsink.cli.jobs:audit",
        {"at": Option("--at", "ISO 8601, UTC where it names no zone.", metavar="TIME", sets="audit_at")},
    ),
    Command(
        "cost",
        "Compute what a year of events costs hot and cold, from measured sizes and the prices in the parameters.",
        "dualsink.cli.jobs:cost",
        {"picture": Option("--picture", "Default: cost.png in the run's folder.", Path | None, None, "FILE.png")},
    ),
    Command(
        "alerts",
        "Evaluate the alert rules once; print and send what is new. Ends with 3 while an alert fires.",
        "dualsink.cli.jobs:alerts",
        {"rules": _RULES},
    ),
    Command(
        "watch",
        "Evaluate the alert rules again and again, until Ctrl-C.",
        "dualsink.cli.jobs:watch",
        {
            "rules": _RULES,
            "every": Option("--every", "Seconds from one evaluation to the next.", float, 30.0, least=0.1),
        },
    ),
    Command(
        "dashboards",
        "Print the saved objects for OpenSearch Dashboards as NDJSON, to be imported there.",
        "dualsink.cli.jobs:dashboards",
    ),
    Command(
        "parse",
        "Show what each line of a file becomes: fields, what stays in attributes, the reason of every refusal.",
        "dualsink.cli.parsing:parse",
        {"file": Option("", "Log file: NDJSON, CSV, CRI or text, plain or gzip.", Path, metavar="FILE")},
    ),
    Command("formats", "Print every format that is recognised, as Markdown.", "dualsink.cli.parsing:formats"),
    Command(
        "params",
        "List the parameters: type, value in the environment, meaning.",
        "dualsink.cli.parameters:show",
        {"word": Option("", "Only those with this word in name or meaning.", str | None, None, "WORD")},
    ),
    Command(
        "jars",
        "Print the jars that spark-submit needs, as its option --jars takes them; fetched the first time.",
        "dualsink.cli.jobs:jars",
    ),
)
"""The product's commands; every job is called with settings, a function that prints a line, and these options."""


def main(arguments: list[str] | None = None) -> None:
    """Run one command; print known failures as one message.

    Exit status: 0, 1 for a failure, 2 for a mistake in options or parameters, 3 for an alert that fires, 130 after
    Ctrl-C, 143 after SIGTERM.
    """
    with orderly_end():
        parser = application(commands())
        parser(args=pair_parameters(sys.argv[1:] if arguments is None else arguments), prog_name="dualsink")


def commands() -> list[Command]:
    """Return the commands of the product and of installed packages.

    Packages add theirs as entry points of the group `dualsink.commands`.
    """
    added = (entry.load() for entry in entry_points(group="dualsink.commands"))
    return [*COMMANDS, *(command for table in added for command in table)]
