"""How does every error answer look? As a problem document by RFC 9457."""

from typing import Any

from marshmallow import Schema, fields


class FieldProblemSchema(Schema):
    """What is wrong with one parameter."""

    field = fields.String()
    problem = fields.String()
    mend = fields.String()


class ProblemSchema(Schema):
    """What went wrong, and what to do next. It never holds a mail address."""

    type = fields.String(required=True, metadata={"description": "Where this kind of problem is described."})
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String()
    instance = fields.String(metadata={"description": "The path that was asked."})
    errors = fields.List(fields.Nested(FieldProblemSchema), metadata={"description": "With 422: one for each wrong parameter."})


PROBLEM_EXAMPLE: dict[str, Any] = {
    "type": "/docs#problem-422",
    "title": "Unprocessable Content",
    "status": 422,
    "detail": "limit: Is not a whole number of at least 1. Give a whole number from 1 to 500.",
    "instance": "/api/v1/alerts",
    "errors": [{"field": "limit", "problem": "Is not a whole number of at least 1.", "mend": "Give a whole number from 1 to 500."}],
}
