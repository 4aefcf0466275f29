"""Which alerts are open, as the API tells it?"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import orjson

from service.bootstrap import Hopp
from service.cli.demo.sending import DemoError
from service.model.words import Role
from service.outbound.service_client import ServiceClient
from service.store import tokens

Alert = Mapping[str, Any]  # as the API gives it


@contextmanager
def reader_token(hopp: Hopp, run: str) -> Iterator[str]:
    """A token of the demo's own that may read, and is revoked when the demo ends, however it ends."""
    name = f"demo-{run}"
    with hopp.database.write() as connection:
        token = tokens.create(connection, name=name, role=Role.READER, now=hopp.now())
    try:
        yield token
    finally:
        with hopp.database.write() as connection:
            tokens.revoke(connection, name=name, now=hopp.now())


@dataclass(frozen=True, slots=True)
class AlertReader:
    """Asks the API."""

    client: ServiceClient
    token: str

    def open_alerts(self) -> dict[str, Alert]:
        """Every alert that fires now, by its id."""
        found: dict[str, Alert] = {}
        cursor: str | None = ""
        while cursor is not None:
            page = self._get("/api/v1/alerts", {"state": "firing"} | ({"cursor": cursor} if cursor else {}))
            found |= {alert["id"]: alert for alert in page["items"]}
            cursor = page["next_cursor"]
        return found

    def next_steps(self, alert_id: str) -> tuple[str, ...]:
        """What the API proposes to do about an alert."""
        return tuple(step["text"] for step in self._get(f"/api/v1/alerts/{alert_id}", {})["next_steps"])

    def _get(self, path: str, query: Mapping[str, str]) -> dict[str, Any]:
        answer = self.client.get(path, headers={"Authorization": f"Bearer {self.token}"}, query=query)
        if not answer.is_success:
            message = f"{self.client.base_url}{path} answered {answer.status}. Does the service use another database than this folder's?"
            raise DemoError(message)
        page: dict[str, Any] = orjson.loads(answer.body)
        return page
