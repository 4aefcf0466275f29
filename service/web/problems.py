"""What does an error answer say? What is wrong and what to do, as an RFC 9457 problem document, and never an address."""

from collections.abc import Iterable, Mapping
from functools import cache
from http import HTTPStatus
from typing import Any

import structlog
from flask import Flask, Response, request
from flask.json import dumps
from werkzeug.exceptions import HTTPException

from service.model.errors import HoppError
from service.store.database import Database, DatabaseUnavailableError
from service.telemetry.redaction import mask

log = structlog.get_logger()
CONTENT_TYPE = "application/problem+json"
RETRY_SECONDS = 30
_TITLES = {413: "Content Too Large", 422: "Unprocessable Content"}  # RFC 9110's words, newer than Python's
_DETAILS = {
    400: "The request is not understood. Check how it is written.",
    404: "There is nothing at this address. The routes are listed at /docs.",
    405: "This address does not take this method. The header Allow names those it takes.",
    413: "The body is larger than this server takes.",
    415: "This encoding of a body is not understood. Send it plain, or with gzip or deflate.",
    500: "Something went wrong here. The log of this server says what.",
    503: "The database does not answer. Try again later.",
}
EXPLANATIONS: Mapping[int, str] = {
    400: "The request could not be read: for example a body that is not JSON, or says that it is gzip and is not.",
    401: "No bearer token, or one that is unknown or revoked. Make one: `python -m service token new --role reader --name NAME`.",
    403: "The token is good, but its role may not do this. The list of routes says which role each needs.",
    404: "There is no such address, source, alert, delivery or recipient domain.",
    405: "The address exists, but does not take this method.",
    413: "The body is too large, as sent or inflated. `HOPP_BODY_LIMIT_BYTES` sets the limit.",
    415: "The body is encoded in a way that is not understood.",
    422: "A parameter, or a field of the body, is wrong: `errors` names it, what is wrong, and the mend.",
    500: "A fault of this server; its log holds the reason.",
    503: "The inbox or the database cannot be reached now; try again after `Retry-After` seconds.",
}


def title_of(status: int) -> str:
    """The name of a status."""
    return _TITLES.get(status) or HTTPStatus(status).phrase


@cache
def status_line(status: int) -> str:
    """The status as it stands in the first line of an answer."""
    return f"{status} {title_of(status)}"


def problem(status: int, detail: str = "", *, headers: Mapping[str, str] | None = None, **extra: object) -> Response:
    """A problem document as an answer to this request."""
    body: dict[str, object] = {
        "type": f"/docs#problem-{status}" if status in EXPLANATIONS else "about:blank",
        "title": title_of(status),
        "status": status,
        "detail": mask(detail or _DETAILS.get(status, "")),
        "instance": mask(request.path),
        **extra,
    }
    response = Response(dumps({name: value for name, value in body.items() if value}), status, content_type=CONTENT_TYPE)
    response.headers.update(headers or {})
    return response


def register_problems(app: Flask, database: Database) -> None:
    """Make every error of the application a problem document."""

    def answer_fault(error: Exception) -> Response:
        if not database.answers():  # it went away between two statements
            return _answer_database_down(DatabaseUnavailableError(database.silence()))
        log.error("request_failed", path=request.path, method=request.method, exc_info=error)
        return problem(500)

    app.register_error_handler(HTTPException, answer_http_error)
    app.register_error_handler(DatabaseUnavailableError, _answer_database_down)
    app.register_error_handler(Exception, answer_fault)


def answer_http_error(error: HTTPException) -> Response:
    """An error that Flask or a library raised, in our form."""
    status = error.code or 500
    data = getattr(error, "data", {})
    headers = {name: value for name, value in error.get_headers() if name in {"Allow", "Retry-After"}}
    if status == HTTPStatus.UNPROCESSABLE_ENTITY and "messages" in data:
        errors = list(_field_problems(data["messages"], data.get("schema")))
        return problem(status, " ".join(f"{item['field']}: {item['problem']} {item['mend']}" for item in errors), errors=errors)
    return problem(status, headers=headers)


def wrong_parameter(field: str, what: str, mend: str) -> Response:
    """A 422 about one parameter."""
    return problem(422, f"{field}: {what} {mend}", errors=[{"field": field, "problem": what, "mend": mend}])


def _field_problems(messages: Mapping[str, Any], schema: Any) -> Iterable[dict[str, str]]:  # noqa: ANN401 - webargs hands it over
    mends = {field.data_key or name: field.metadata.get("x-mend", "") for name, field in getattr(schema, "fields", {}).items()}
    for found in messages.values():  # by location
        for name, texts in found.items():
            if name in mends:
                yield {"field": name, "problem": " ".join(map(str, texts)), "mend": mends[name]}
                continue
            known = ", ".join(sorted(mends))
            yield {"field": mask(name[:100]), "problem": "There is no such parameter.", "mend": f"Known: {known}."}


def _answer_database_down(error: HoppError) -> Response:
    log.error("database_unavailable", path=request.path, error=str(error))
    return problem(503, headers={"Retry-After": str(RETRY_SECONDS)})
