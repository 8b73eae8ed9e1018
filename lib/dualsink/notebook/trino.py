"""Archive asked through Trino, in SQL, as analysts do.

Values travel as parameters, never pasted in.
"""

import re
from collections.abc import MutableMapping
from typing import Any

import pandas as pd
import requests
from trino.auth import Authentication, BasicAuthentication, JWTAuthentication
from trino.dbapi import Connection
from trino.dbapi import connect as open_connection

from dualsink.settings import Settings


def connect(settings: Settings) -> Connection | None:
    """Connect to Trino, None if none answers at `trino_uri`.

    User, password and token come from the environment; password and token ask for https.
    """
    if version(settings) is None:
        return None
    user = settings.secret("trino_user_env")
    session = _Session()
    session.verify = settings.trino_ca_file or True
    return open_connection(
        host=settings.trino_uri,
        user=user or "dualsink",
        auth=_login(settings, user),
        catalog=settings.catalog_name,
        schema=settings.database_name,
        timezone="UTC",
        http_session=session,
    )


class _Session(requests.Session):
    """Session whose own authority counts.

    requests would take that of REQUESTS_CA_BUNDLE in its place.
    """

    def merge_environment_settings(
        self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any
    ) -> MutableMapping[str, Any]:
        """Return what a request is sent with."""
        known = self.verify if verify is None else verify
        return super().merge_environment_settings(url, proxies, stream, known, cert)


def _login(settings: Settings, user: str | None) -> Authentication | None:
    password, token = settings.secret("trino_password_env"), settings.secret("trino_token_env")
    if token:
        return JWTAuthentication(token)
    return BasicAuthentication(user, password) if user and password else None


def version(settings: Settings) -> str | None:
    """Return Trino's version, None without an answer.

    It is None also while Trino is still starting.
    """
    try:
        answer = requests.get(f"{settings.trino_uri}/v1/info", timeout=5, verify=settings.trino_ca_file or True)
        info = answer.json() if answer.ok else {"starting": True}
    except (requests.RequestException, ValueError):
        return None
    return None if info["starting"] else info["nodeVersion"]["version"]


def ask(connection: Connection, text: str, **values: Any) -> pd.DataFrame:
    """Return the answer to a query.

    Its parameters are written `:name`; times are UTC.
    """
    cursor = connection.cursor()
    given = [values[name] for name in re.findall(r":(\w+)", text)]
    cursor.execute(re.sub(r":\w+", "?", text), given or None)
    frame = pd.DataFrame(cursor.fetchall(), columns=[column.name for column in cursor.description])
    for column in cursor.description:
        if column.type_code.startswith("timestamp"):
            frame[column.name] = pd.to_datetime(frame[column.name], utc=True)
    return frame
