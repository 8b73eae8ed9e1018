"""Archive asked through Trino, in SQL, as analysts do.

Values travel as parameters, never pasted in.
"""

import re
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
import requests
from trino.auth import Authentication, BasicAuthentication, JWTAuthentication
from trino.dbapi import Connection
from trino.dbapi import connect as open_connection

from dualsink.settings import Secret, Settings


@dataclass(frozen=True)
class Trino:
    """Trino server, with catalogue and schema of the archive.

    `ca_file` is PEM, empty means the system's authorities. Whose questions they are: the bearer `token`, else `user`
    with `password`; both ask for https.
    """

    uri: str
    ca_file: str
    catalog: str
    schema: str
    user: Secret
    password: Secret
    token: Secret

    @classmethod
    def of(cls, settings: Settings) -> "Trino":
        """Return the server of the settings."""
        return cls(
            settings.trino_uri,
            settings.trino_ca_file,
            settings.catalog_name,
            settings.database_name,
            *(Secret.of(settings, f"trino_{name}_env") for name in ("user", "password", "token")),
        )

    def connect(self) -> Connection | None:
        """Connect to the server, None if none answers."""
        if self.version() is None:
            return None
        user = self.user.read()
        session = _Session()
        session.verify = self.ca_file or True
        return open_connection(
            host=self.uri,
            user=user or "dualsink",
            auth=self._login(user),
            catalog=self.catalog,
            schema=self.schema,
            timezone="UTC",
            http_session=session,
        )

    def version(self) -> str | None:
        """Return Trino's version, None without an answer.

        It is None also while Trino is still starting.
        """
        try:
            answer = requests.get(f"{self.uri}/v1/info", timeout=5, verify=self.ca_file or True)
            info = answer.json() if answer.ok else {"starting": True}
        except (requests.RequestException, ValueError):
            return None
        return None if info["starting"] else info["nodeVersion"]["version"]

    def _login(self, user: str | None) -> Authentication | None:
        password, token = self.password.read(), self.token.read()
        if token:
            return JWTAuthentication(token)
        return BasicAuthentication(user, password) if user and password else None


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
