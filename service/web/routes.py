"""How does a view become a route of the API: guarded, checked, worded and described?

The one place that knows flask-smorest, which ships no types.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from flask_smorest.blueprint import Blueprint
from marshmallow import Schema

from service.model.words import Role

View = TypeVar("View", bound=Callable[..., object])
PREFIX = "/api/v1"
SCHEME = "bearer"
ROLE_MARK = "needed_role"


class Routes:
    """The routes of one part of the API."""

    def __init__(self, name: str, description: str) -> None:
        self.blueprint: Any = Blueprint(name, __name__, url_prefix=PREFIX, description=description)  # type: ignore[no-untyped-call]

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
