"""The file of legal holds: what it may say, and that a mistake in it deletes nothing. No server is started."""

from datetime import date

import pytest

from dualsink.errors import SettingsError
from dualsink.operations import archive_retention, legal_holds


@pytest.fixture
def written(tmp_path):
    """The path of a file of holds with the given text."""

    def written(text: str) -> str:
        file = tmp_path / "holds.yaml"
        file.write_text(text)
        return str(file)

    return written


def test_without_a_file_there_is_no_hold():
    assert str(legal_holds.read("")) == "no legal holds"


def test_a_hold_names_services_days_or_both_and_the_file_is_known_by_its_digest(written):
    found = legal_holds.read(
        written("holds:\n  - {name: a, reason: r, services: [pay], from: 2019-01-01, to: 2019-06-30}\n")
    )
    (hold,) = found.holds
    assert (hold.services, hold.first, hold.last) == (["pay"], date(2019, 1, 1), date(2019, 6, 30))
    assert len(found.digest) == 64 and found.digest[:16] in str(found)


def test_a_hold_without_limits_reaches_over_all_time(written):
    (hold,) = legal_holds.read(written("holds:\n  - {name: a, reason: r}\n")).holds
    assert (hold.services, hold.first, hold.last) == ([], None, None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("holds:\n  - {name: a}", "holds.0.reason: Field required"),
        ("holds:\n  - {name: a, reason: r, service: pay}", "holds.0.service: Extra inputs"),
        ("holds:\n  - {name: a, reason: r, from: 2020-02-01, to: 2020-01-01}", "is after `to`"),
        ("holds: [", "Cannot read the legal holds"),
        ("", "cannot be used"),
    ],
)
def test_a_file_that_cannot_be_understood_is_refused(written, text, said):
    with pytest.raises(SettingsError) as caught:
        legal_holds.read(written(text))
    assert said in str(caught.value)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(SettingsError, match="Cannot read the legal holds"):
        legal_holds.read(str(tmp_path / "none.yaml"))


@pytest.mark.parametrize(
    ("day", "years", "limit"),
    [
        (date(2026, 11, 25), 7, date(2019, 11, 25)),
        (date(2024, 2, 29), 7, date(2017, 2, 28)),
        (date(2024, 2, 29), 4, date(2020, 2, 29)),
    ],
)
def test_the_limit_is_the_same_day_of_the_year_or_the_one_before(day, years, limit):
    assert archive_retention._years_before(day, years) == limit
