"""What does the API promise, in a form that machines read?"""

from collections.abc import Iterator, Mapping
from typing import Any

from flask import Flask
from flask_smorest import Api

from service.schemas.problems import PROBLEM_EXAMPLE, ProblemSchema
from service.web.problems import CONTENT_TYPE, EXPLANATIONS, title_of
from service.web.routes import SCHEME

VERSION = "1"
_GUARDED_ERRORS = (401, 403, 503)
_BODY_ERRORS = (400, 413, 415, 422)
_INTRODUCTION = (
    "Hopp takes bounce and delivery webhooks, labels every event, and alerts where a recipient domain's hard bounces spike. "
    "Times are ISO 8601 in UTC. Lists give `items` and `next_cursor`; ask again with `cursor` for the next page. Answers carry "
    "an `ETag`: send it as `If-None-Match` and an unchanged answer is an empty 304. Errors are problem documents (RFC 9457)."
)


def make_api(app: Flask) -> Any:  # noqa: ANN401 - flask-smorest ships no types
    """The API, to which the blueprints are added."""
    app.config.update(API_TITLE="Hopp", API_VERSION=VERSION, OPENAPI_VERSION="3.1.0")
    api: Any = _Api(app, spec_kwargs={"info": {"description": _INTRODUCTION}, "servers": [{"url": "/"}]})  # type: ignore[no-untyped-call]
    bearer = {
        "type": "http",
        "scheme": "bearer",
        "description": "A token made by `python -m service token new`. Roles: reader < operator < admin.",
    }
    api.spec.components.security_scheme(SCHEME, bearer)
    return api


def describe(api: Any) -> dict[str, Any]:  # noqa: ANN401 - flask-smorest ships no types
    """The OpenAPI document of everything that is served."""
    document: dict[str, Any] = api.spec.to_dict()
    for path, operations in _SERVED_BESIDE.items():
        document["paths"][path] = operations
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas.setdefault("Problem", _problem_schema(api))
    document["components"]["responses"] = {f"problem_{status}": _problem_response(status) for status in EXPLANATIONS}
    for operation in _operations(document):
        told = {status: response for status, response in operation["responses"].items() if status.startswith("2")}
        errors = {str(status): {"$ref": f"#/components/responses/problem_{status}"} for status in _errors_of(operation)}
        operation["responses"] = told | errors
    _describe_path_parameters(document)
    return document


class _Api(Api):
    """flask-smorest with our problem documents."""

    ERROR_SCHEMA = ProblemSchema  # type: ignore[assignment]  # any schema will do

    def _register_error_handlers(self) -> None:
        """Ours are registered for the whole application."""


def _problem_schema(api: Any) -> dict[str, Any]:  # noqa: ANN401 - the same
    converted: dict[str, Any] = api.ma_plugin.converter.schema2jsonschema(ProblemSchema)
    return converted


def _operations(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for item in document["paths"].values():
        for method, operation in item.items():
            if method in {"get", "post", "head", "options"}:
                yield operation


def _describe_path_parameters(document: Mapping[str, Any]) -> None:
    for item in document["paths"].values():
        for parameter in item.get("parameters", []):
            parameter["description"] = _PATH_PARAMETERS[parameter["name"]]


def _errors_of(operation: Mapping[str, Any]) -> list[int]:
    if "x-errors" in operation:
        return list(operation["x-errors"])
    takes_query = any(parameter.get("in") == "query" for parameter in operation.get("parameters", []))
    takes_body = "requestBody" in operation
    return sorted({*_GUARDED_ERRORS, *((422,) if takes_query else ()), *(_BODY_ERRORS if takes_body else ())})


def _problem_response(status: int) -> dict[str, Any]:
    example = PROBLEM_EXAMPLE if status == PROBLEM_EXAMPLE["status"] else _example(status)
    return {
        "description": f"{title_of(status)}. {EXPLANATIONS[status]}",
        "content": {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}},
    }


def _example(status: int) -> dict[str, object]:
    return {"type": f"/docs#problem-{status}", "title": title_of(status), "status": status, "detail": EXPLANATIONS[status]}


def _plain(summary: str, description: str, content_type: str, *, tag: str, errors: tuple[int, ...] = ()) -> dict[str, Any]:
    return {
        "tags": [tag],
        "summary": summary,
        "description": description,
        "security": [],
        "x-errors": list(errors),
        "responses": {"200": {"description": "OK", "content": {content_type: {}}}},
    }


_SOURCE = {"name": "source", "in": "path", "required": True, "schema": {"type": "string"}}
_PATH_PARAMETERS = {
    "source": "Name of a configured source.",
    "alert_id": "As the list of alerts gives it.",
    "delivery_id": "As the list of deliveries, or the answer to the webhook, gives it.",
    "domain": "Recipient domain, in Unicode or as A-labels.",
}
_SERVED_BESIDE: Mapping[str, dict[str, Any]] = {
    "/webhooks/{source}": {
        "parameters": [_SOURCE],
        "post": {
            **_plain(
                "Take a webhook.",
                "For ESPs. The proof of origin is the ESP's own signature or the source's secret. The 2xx comes once the bytes"
                " are durable; which status is answered otherwise is chosen for each ESP so that it loses nothing.",
                "application/json",
                tag="webhooks",
                errors=(400, 401, 403, 404, 413, 415, 503),
            ),
            "requestBody": {"description": "Whatever the ESP posts.", "content": {"*/*": {}}},
        },
    },
    "/healthz": {"get": _plain("Tell whether the process lives.", "Asks nothing else.", "application/json", tag="operation")},
    "/readyz": {
        "get": _plain(
            "Tell whether a webhook that comes now can be kept.",
            "The main database may be down meanwhile: the inbox keeps what comes, and the answer says so.",
            "application/json",
            tag="operation",
            errors=(503,),
        )
    },
    "/metrics": {"get": _plain("Give figures to Prometheus.", "Text format; described in docs/metrics.md.", "text/plain", tag="operation")},
    "/openapi.json": {"get": _plain("Give this description.", "OpenAPI 3.1.", "application/json", tag="operation")},
}
