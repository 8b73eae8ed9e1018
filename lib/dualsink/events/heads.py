"""Heads of lines: where text begins, and its time.

Patterns alone. The reader of files tells by them a line that begins from one that continues; `text` finds a level
behind them.
"""

WORDS = "TRACE|DEBUG|INFO|NOTICE|WARNING|WARN|ERROR|FATAL|CRITICAL|SEVERE|PANIC"
"""Names of levels in lines."""

REDIS_MARKS = {".": "debug", "-": "verbose", "*": "notice", "#": "warning"}
"""What Redis writes for a level behind the time."""

_MONTH = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_DAY = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_NARROW = "\N{NARROW NO-BREAK SPACE}"
_CLOCK = r"\d\d:\d\d:\d\d(?:[.,]\d{1,9}|:\d{3}(?![\d:]))?(?: ?[AP]M\b)?"
_ZONE = (
    r"(?: ?(?:Z|[+-]\d\d(?::?\d\d)?)(?![\d-])"
    r"| (?:UTC|GMT|CES?T|[EW]ES?T|[ECMP][SD]T|BST|IST|JST|KST|MSK|SGT|HKT|AE[SD]T|NZ[SD]T|SAST)\b"
    r"| (?:Africa|America|Asia|Atlantic|Australia|Europe|Indian|Pacific)/[\w/+-]+)?"
)
"""Zone behind a time; a name that is none of these is a word of the message."""
MOMENT = "|".join(
    (
        rf"\d{{4}}[-/.]\d\d[-/.]\d\d[T :]{_CLOCK}{_ZONE}",  # ISO 8601 and its relatives
        rf"\d\d[- ]{_MONTH}[- ]\d{{4}} {_CLOCK}{_ZONE}",  # Tomcat, PHP, BIND, Redis, Log4j's DATE
        rf"{_DAY} {_MONTH} [ \d]\d {_CLOCK}{_ZONE} \d{{4}}",  # ctime, date, Apache's error log
        rf"{_MONTH} \d?\d, \d{{4}},? \d?\d:\d\d:\d\d(?: |{_NARROW})[AP]M{_ZONE}",  # java.util.logging
        rf"{_MONTH} [ \d]\d \d{{4}} {_CLOCK}",  # Cisco
        rf"\d{{4}} {_MONTH} [ \d]\d {_CLOCK}{_ZONE}",  # NX-OS
        r"\d{8}T\d{6}(?:[.,]\d{1,9})?Z?(?!\w)",  # ISO 8601 basic
        r"1\d{9}(?:\.\d{3,9}|(?=: |\] ))",  # seconds since 1970: Squid, Mosquitto, Nagios, journalctl
    )
)
"""Date and time at the head of a line, never without a year."""
LEAD = (
    r"(?:<\d{1,3}>\d? ?)?"  # syslog's priority
    rf"(?:[\[(<]?(?:{WORDS})[\])>]?[ \t:|,-]{{1,9}}(?:\[[^\]\n]{{1,100}}\] )?|\[(?i:{WORDS})\] "
    r"|[DIWEFA], |\[[DIWEC] )?"  # a level
    r"(?:\[\d{1,10}\] |\d{1,10}:[A-Z] )?"  # a process
    rf"(?:# Time: |####|{_DAY} (?=\d))?"
)
"""What may stand before a line's time."""
