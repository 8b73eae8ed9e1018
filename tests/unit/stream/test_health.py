"""Servers that do not answer, as people read of them."""

from dualsink.iceberg.archive import Archive
from dualsink.iceberg.catalog import Nessie
from dualsink.settings import Settings
from dualsink.stream import health

NOBODY = Settings(nessie_uri="http://127.0.0.1:1/api/v2")


def test_a_silent_server_is_told_by_a_sentence_and_not_by_the_name_of_an_error():
    check = health._try("Nessie", lambda: health._nessie(Nessie.of(Archive.of(NOBODY))))
    assert not check.ok and "127.0.0.1:1: nothing listens there" in check.detail and "Unavailable" not in check.detail
