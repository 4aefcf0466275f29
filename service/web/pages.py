"""What does a person see who opens the service in a browser? A page of ours, made from the API's own description."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from flask import Flask, Response, jsonify, redirect, render_template
from flask.json import dumps
from markupsafe import Markup, escape

from service.web.openapi import describe
from service.web.problems import EXPLANATIONS, title_of

_METHODS = ("get", "post")


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One route as the page shows it."""

    anchor: str
    method: str
    path: str
    role: str
    summary: str
    description: str
    parameters: tuple[Mapping[str, str], ...]
    takes: tuple[Mapping[str, str], ...]
    takes_example: str
    fields: tuple[Mapping[str, str], ...]
    example: str
    errors: tuple[int, ...]


def register_pages(app: Flask, api: Any) -> None:  # noqa: ANN401 - flask-smorest ships no types
    """Add /, /docs and /openapi.json. The blueprints have to be registered before."""

    @cache
    def described() -> dict[str, Any]:
        return describe(api)

    @cache
    def docs_page() -> str:
        document = described()
        problems = [(status, title_of(status), text) for status, text in EXPLANATIONS.items()]
        return render_template("docs.html", info=document["info"], groups=_groups(document), problems=problems)

    app.add_template_filter(_with_code, "code")
    app.add_url_rule("/", "home", lambda: redirect("/docs"))
    app.add_url_rule("/docs", "docs", lambda: Response(docs_page(), content_type="text/html; charset=utf-8"))
    app.add_url_rule("/openapi.json", "openapi", lambda: jsonify(described()))


def _with_code(text: str) -> Markup:
    """Text in which `what stands between backticks` is code."""
    parts = [escape(part) for part in text.split("`")]
    return Markup("").join(Markup("<code>{}</code>").format(part) if number % 2 else part for number, part in enumerate(parts))


def _groups(document: Mapping[str, Any]) -> dict[str, list[Route]]:
    groups: dict[str, list[Route]] = {}
    for path, item in document["paths"].items():
        for method in _METHODS:
            if method in item:
                route = _route(path, method, item, document["components"]["schemas"])
                groups.setdefault(item[method]["tags"][0], []).append(route)
    return groups


def _route(path: str, method: str, item: Mapping[str, Any], schemas: Mapping[str, Any]) -> Route:
    operation = item[method]
    content: Mapping[str, Any] = next(iter(operation["responses"].get("200", {}).get("content", {}).values()), {})
    taken: Mapping[str, Any] = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    return Route(
        anchor=f"{method}-{path.strip('/').replace('/', '-').replace('{', '').replace('}', '')}",
        method=method.upper(),
        path=path,
        role=operation.get("x-role", ""),
        summary=operation.get("summary", ""),
        description=operation.get("description", ""),
        parameters=tuple(_parameters([*item.get("parameters", []), *operation.get("parameters", [])])),
        fields=tuple(_fields(content.get("schema", {}), schemas)),
        takes=tuple(_fields(taken.get("schema", {}), schemas)),
        takes_example=_shown(taken.get("example")),
        example=_shown(content.get("example")),
        errors=tuple(int(status) for status in operation["responses"] if not status.startswith("2")),
    )


def _shown(example: object) -> str:
    return dumps(example, indent=2, sort_keys=False, ensure_ascii=False) if example else ""


def _parameters(parameters: list[Mapping[str, Any]]) -> Iterator[Mapping[str, str]]:
    for parameter in parameters:
        schema = parameter.get("schema", {})
        description = parameter.get("description", schema.get("description", ""))
        yield {"name": parameter["name"], "place": parameter["in"], "kind": _kind(schema), "description": description}


def _fields(schema: Mapping[str, Any], schemas: Mapping[str, Any], prefix: str = "") -> Iterator[Mapping[str, str]]:
    """Names of an answer's fields with what each means; those inside another are written as `outer.inner`."""
    schema = _resolved(schema, schemas)
    for name, item in schema.get("properties", {}).items():
        inner = _inner(item, schemas)
        is_list = item.get("type") == "array"
        shown = f"{prefix}{name}{'[]' if is_list else ''}"
        yield {"name": shown, "kind": _kind(item), "description": item.get("description", "")}
        if inner and (not prefix or prefix == "items[]."):
            yield from _fields(inner, schemas, f"{shown}.")


def _inner(item: Mapping[str, Any], schemas: Mapping[str, Any]) -> Mapping[str, Any] | None:
    choices = [item, item.get("items", {}), *item.get("allOf", []), *item.get("anyOf", [])]
    named = next((choice for choice in choices if "$ref" in choice), None)
    return None if named is None else _resolved(named, schemas)


def _resolved(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Mapping[str, Any]:
    schema = schema["oneOf"][0] if "oneOf" in schema else schema
    reference = schema.get("$ref")
    found: Mapping[str, Any] = schemas[reference.rpartition("/")[2]] if reference else schema
    return found


def _kind(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return " | ".join(str(word) for word in schema["enum"] if word is not None)
    kind = schema.get("type", "object")
    return " or ".join(kind) if isinstance(kind, list) else str(schema.get("format") or kind)
