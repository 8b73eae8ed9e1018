"""Which of many long tests CI runs today: a third of them, by turns."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime

IN_CI = os.environ.get("CI") == "true"


def of_today(names: Sequence[str]) -> list[str]:
    """Return the third of `names` whose turn it is in CI (`CI=true`), and all of them elsewhere."""
    if not IN_CI:
        return list(names)
    return list(names[datetime.now(UTC).toordinal() % 3 :: 3])
