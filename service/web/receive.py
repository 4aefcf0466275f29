"""What came in for a source, does it prove where it comes from, and is it kept before it is answered?

Nothing is parsed here. The way of a post: find the source, read the body, verify it over the raw bytes, append it to the
inbox, and only then answer 2xx.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from http import HTTPStatus
from time import perf_counter
from typing import Any

import structlog
from flask import Flask, Response, request
from flask.json import dumps

from service.bootstrap import Hopp
from service.esp_kit.adapter import Accepted, Handshake, NeedsCertificate, Refused, Verification, WebhookRequest
from service.model.errors import BodyTooLargeError, HoppError, InboxUnavailableError, RemoteUnavailableError
from service.model.events import Delivery
from service.telemetry.metrics import WebMetrics
from service.web.bodies import BrokenBodyError, UnknownEncodingError, read_body
from service.web.delivery_ids import delivery_id
from service.web.doors import Door, open_doors
from service.web.problems import CONTENT_TYPE, RETRY_SECONDS, title_of
from service.web.refusals import Refusals

log = structlog.get_logger()
ENDPOINT = "receive"
_METHODS = ("POST", "GET", "HEAD", "OPTIONS")
_UNKNOWN = "unknown"
_CONTENT_TYPE_LENGTH = 200
_RETRY = {"Retry-After": str(RETRY_SECONDS)}
_BODY_STATUS: Mapping[type[HoppError], tuple[int, str]] = {
    BodyTooLargeError: (413, "too_large"),
    BrokenBodyError: (400, "unreadable"),
    UnknownEncodingError: (415, "unreadable"),
}


def register_receiver(app: Flask, hopp: Hopp, metrics: WebMetrics, refusals: Refusals) -> None:
    """Open `/webhooks/<source>` for every configured source."""
    receiver = Receiver(hopp, metrics, refusals)
    app.add_url_rule(
        "/webhooks/<source>", ENDPOINT, receiver.receive, methods=list(_METHODS), provide_automatic_options=False, strict_slashes=False
    )


class Receiver:
    """Answers ESPs. Holds nothing that changes between two requests."""

    def __init__(self, hopp: Hopp, metrics: WebMetrics, refusals: Refusals) -> None:
        self._hopp = hopp
        self._metrics = metrics
        self._refusals = refusals
        self._doors = open_doors(hopp, metrics)

    def receive(self, source: str) -> Response:
        """One request to a source's address."""
        door = self._doors.get(source)
        if door is None:
            self._metrics.webhooks.labels(_UNKNOWN, "unknown_source").inc()
            return _answer(404)
        method = request.method
        if method not in door.adapter.methods and method != "POST":
            return _answer(405, {"Allow": ", ".join(dict.fromkeys(("POST", *door.adapter.methods)))})
        started = perf_counter()
        try:
            asked = self._read(door, request.environ)
        except HoppError as error:
            return self._answer_unread(door, error)
        if method != "POST":
            probed = self._answer_probe(door, asked)
            if probed is not None:
                return probed
        return self._take_in(door, asked, started)

    def _read(self, door: Door, environ: Mapping[str, Any]) -> WebhookRequest:
        query = environ.get("QUERY_STRING", "")
        headers = {name[5:].replace("_", "-").lower(): value for name, value in environ.items() if name.startswith("HTTP_")}
        headers["content-type"] = environ.get("CONTENT_TYPE", "")
        return WebhookRequest(
            method=environ["REQUEST_METHOD"],
            url=door.asked_url(query),
            headers=headers,
            query=query,
            body=read_body(environ, self._hopp.settings.body_limit_bytes),
        )

    def _answer_unread(self, door: Door, error: HoppError) -> Response:
        status, outcome = _BODY_STATUS[type(error)]
        self._metrics.webhooks.labels(door.source.name, outcome).inc()
        log.warning("webhook_unread", source=door.source.name, status=status, reason=str(error))
        return _answer(status)

    def _answer_probe(self, door: Door, asked: WebhookRequest) -> Response | None:
        """What an ESP asks before it posts; None where a GET is itself the event."""
        handshake = self._handshake(door, asked)
        if handshake is not None:
            return handshake
        if asked.method == "OPTIONS":
            return Response(status=204, headers={"Allow": ", ".join(door.adapter.methods)})
        return Response(status=200) if asked.method == "HEAD" else None

    def _handshake(self, door: Door, asked: WebhookRequest) -> Response | None:
        if door.adapter.handshake is None:
            return None
        try:
            found = door.adapter.handshake(asked, door.trust)
            answer = None if found is None else _shake(found)
        except Exception as error:  # noqa: BLE001 - no input may end in a 5xx, whatever an adapter does with it
            log.warning("adapter_failed", source=door.source.name, step="handshake", error=type(error).__name__)
            return None
        if answer is None:
            return None
        self._metrics.webhooks.labels(door.source.name, "handshake").inc()
        log.info("webhook_handshake", source=door.source.name, method=asked.method, status=answer.status_code)
        return answer

    def _take_in(self, door: Door, asked: WebhookRequest, started: float) -> Response:
        received_at = self._hopp.now()
        try:
            verification = self._verify(door, asked, received_at)
        except RemoteUnavailableError as error:
            log.warning("certificate_unavailable", source=door.source.name, reason=str(error))
            return self._answer_unavailable(door)
        if isinstance(verification, Refused):
            return self._refuse(door, asked, verification)
        handshake = self._handshake(door, asked) if asked.method == "POST" else None
        if handshake is not None:
            return handshake
        delivery = Delivery(
            id=delivery_id(received_at),
            source=door.source.name,
            esp=door.adapter.name,
            received_at=received_at,
            body=door.kept_body(asked.body),
            content_type=asked.headers["content-type"][:_CONTENT_TYPE_LENGTH],
            headers=door.kept_headers(asked.headers),
            query=door.kept_query(asked.query),
        )
        try:
            self._hopp.inbox.append(delivery)
        except InboxUnavailableError as error:
            log.warning("inbox_unavailable", source=door.source.name, reason=str(error))
            return self._answer_unavailable(door)
        except BodyTooLargeError as error:
            return self._answer_unread(door, error)
        door.accepted.inc()
        door.accepted_bytes.inc(len(asked.body))
        self._metrics.webhook_seconds.observe(perf_counter() - started)
        return Response(f'{{"id":"{delivery.id}"}}\n', door.adapter.answers.accepted, content_type="application/json")

    def _verify(self, door: Door, asked: WebhookRequest, now: datetime) -> Accepted | Refused:
        """Verify, fetching a certificate at most once; raises RemoteUnavailableError where it cannot be had."""
        found = _verified(door, asked, now)
        if isinstance(found, NeedsCertificate):
            pem = self._hopp.certificates.load(found.url)
            found = _verified(replace(door, trust=replace(door.trust, certificates={found.url: pem})), asked, now)
        if isinstance(found, NeedsCertificate):
            raise RemoteUnavailableError("The adapter asks for a certificate that it was given.")
        return found

    def _refuse(self, door: Door, asked: WebhookRequest, refused: Refused) -> Response:
        self._metrics.webhooks.labels(door.source.name, "refused").inc()
        self._metrics.count_refused(door.source.name, refused.reason)
        self._refusals.count(door.source.name, is_challenged=refused.challenge is not None and "authorization" not in asked.headers)
        log.warning("webhook_refused", source=door.source.name, esp=door.adapter.name, reason=refused.reason)
        status = door.adapter.answers.refused
        if refused.challenge is None:
            return _answer(status)
        # Only a 401 makes a sender come back with its credentials (RFC 9110, section 15.5.2); SNS waits for it.
        return _answer(401 if status == HTTPStatus.FORBIDDEN else status, {"WWW-Authenticate": refused.challenge})

    def _answer_unavailable(self, door: Door) -> Response:
        self._metrics.webhooks.labels(door.source.name, "unavailable").inc()
        return _answer(door.adapter.answers.unavailable, _RETRY)


def _verified(door: Door, asked: WebhookRequest, now: datetime) -> Verification:
    try:
        return door.adapter.verify(asked, door.trust, now)
    except Exception as error:  # noqa: BLE001 - no input may end in a 5xx, whatever an adapter does with it
        log.warning("adapter_failed", source=door.source.name, step="verify", error=type(error).__name__)
        return Refused("the adapter failed")


def _shake(handshake: Handshake) -> Response:
    response = Response(handshake.body, handshake.status, content_type=handshake.content_type)
    response.headers.update(dict(handshake.headers))
    return response


def _answer(status: int, headers: Mapping[str, str] | None = None) -> Response:
    """A problem document that tells an ESP no more than the status does."""
    body = dumps({"type": f"/docs#problem-{status}", "title": title_of(status), "status": status})
    return Response(body, status, headers=dict(headers or {}), content_type=CONTENT_TYPE)
