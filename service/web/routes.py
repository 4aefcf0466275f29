"""How does a view become a route of the API: guarded, checked, worded and described?

The one place that knows flask-smorest, which ships no types.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from flask_smorest.blueprint import Blueprint
from marshmallow import RAISE, Schema
from webargs.flaskparser import FlaskParser

from service.model.words import Role

View = TypeVar("View", bound=Callable[..., object])
PREFIX = "/api/v1"
SCHEME = "bearer"
ROLE_MARK = "needed_role"
_JSON = "application/json"


class _StrictParser(FlaskParser):
    DEFAULT_UNKNOWN_BY_LOCATION: dict[str, str | None] = {"query": RAISE}  # noqa: RUF012 - webargs' own form


class Routes:
    """The routes of one part of the API."""

    def __init__(self, name: str, description: str) -> None:
        # A parameter that we do not know is a mistake of who asks: passing over it would give another answer than was meant.
        self.blueprint: Any = Blueprint(name, __name__, url_prefix=PREFIX, description=description)  # type: ignore[no-untyped-call]
        self.blueprint.ARGUMENTS_PARSER = _StrictParser()

    def get(
        self, rule: str, role: Role, answer: type[Schema], *, example: Mapping[str, object], query: type[Schema] | None = None
    ) -> Callable[[View], View]:
        """A view that answers GET for this role; what the query schema takes is its first argument."""

        def decorate(view: View) -> View:
            described = self.blueprint.response(200, answer, example=example)(view)
            if query is not None:
                described = self.blueprint.arguments(query, location="query")(described)
            described = self.blueprint.doc(security=[{SCHEME: []}], **{"x-role": role.value})(described)
            described.__dict__[ROLE_MARK] = role
            self.blueprint.route(rule)(described)
            return view

        return decorate

    def post(
        self,
        rule: str,
        role: Role,
        *,
        takes: type[Schema],
        takes_example: Mapping[str, object],
        answer: type[Schema],
        example: Mapping[str, object],
    ) -> Callable[[View], View]:
        """A view that answers POST for this role; the body is one object or a list of them, and so is the answer.

        The view reads the body itself: a body has to be bounded before anybody parses it.
        """

        def decorate(view: View) -> View:
            body = {"required": True, "content": {_JSON: {"schema": _one_or_many(takes), "example": takes_example}}}
            told = {"200": {"description": "OK", "content": {_JSON: {"schema": _one_or_many(answer), "example": example}}}}
            described = self.blueprint.doc(security=[{SCHEME: []}], requestBody=body, responses=told, **{"x-role": role.value})(view)
            described.__dict__[ROLE_MARK] = role
            self.blueprint.route(rule, methods=["POST"])(described)
            return view

        return decorate


def _one_or_many(schema: type[Schema]) -> dict[str, object]:
    return {"oneOf": [schema, {"type": "array", "items": schema}]}
