"""What does the classifier say of replies that somebody hands in?"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson
from flask import abort, request
from marshmallow import ValidationError

from service.bootstrap import Hopp
from service.classify.engine import Classifier
from service.classify.reply import Reply
from service.model.errors import BodyTooLargeError, HoppError
from service.model.words import Role
from service.schemas.classify import CLASSIFICATION_EXAMPLE, REPLIES_MAX, REPLY_EXAMPLE, ClassificationSchema, ReplySchema
from service.telemetry.redaction import mask
from service.web.bodies import BrokenBodyError, UnknownEncodingError, read_body
from service.web.problems import problem, wrong_parameter
from service.web.routes import Routes

_STATUS: Mapping[type[HoppError], int] = {BodyTooLargeError: 413, BrokenBodyError: 400, UnknownEncodingError: 415}
_ERRORS_SHOWN = 20
_NAME_LENGTH = 100


def classify_routes(hopp: Hopp) -> Routes:
    """The route /classify."""
    routes = Routes("classify", "What a server's answer says.")
    replies, answers = ReplySchema(), ClassificationSchema()

    @routes.post(
        "/classify",
        Role.READER,
        takes=ReplySchema,
        takes_example=REPLY_EXAMPLE,
        answer=ClassificationSchema,
        example=CLASSIFICATION_EXAMPLE,
    )
    def classify() -> Any:  # noqa: ANN401 - an object for an object, a list for a list
        """Label a reply, or each of a list of up to 1,000 replies. Nothing is kept."""
        given = _body(hopp.settings.body_limit_bytes)
        classifier = hopp.labels().classifier
        if not isinstance(given, list):
            return answers.dump(_classified(classifier, _read([given], replies, is_list=False)[0]))
        if len(given) > REPLIES_MAX:
            abort(wrong_parameter("body", f"Holds more than {REPLIES_MAX} replies.", "Hand them in in several parts."))
        return [answers.dump(_classified(classifier, reply)) for reply in _read(given, replies, is_list=True)]

    return routes


def _body(limit_bytes: int) -> Any:  # noqa: ANN401 - whatever JSON holds
    try:
        return orjson.loads(read_body(request.environ, limit_bytes))
    except orjson.JSONDecodeError:
        abort(problem(400, "The body is not JSON in UTF-8. Send one reply as an object, or a list of them."))
    except (BodyTooLargeError, BrokenBodyError, UnknownEncodingError) as error:
        abort(problem(_STATUS[type(error)]))


def _read(given: Sequence[object], replies: ReplySchema, *, is_list: bool) -> list[dict[str, Any]]:
    """All replies, or a 422 that names the first wrong fields of them."""
    read: list[dict[str, Any]] = []
    errors: list[dict[str, str]] = []
    for number, item in enumerate(given):
        try:
            read.append(replies.load(item))  # type: ignore[arg-type]  # it refuses what is no object
        except ValidationError as error:
            errors += _field_errors(error, replies, f"[{number}]" if is_list else "")
        if len(errors) >= _ERRORS_SHOWN:
            break
    if errors:
        shown = errors[:_ERRORS_SHOWN]
        abort(problem(422, " ".join(f"{item['field']}: {item['problem']} {item['mend']}" for item in shown), errors=shown))
    return read


def _messages(error: ValidationError) -> dict[str, Any]:
    messages: dict[str, Any] = error.normalized_messages()  # type: ignore[no-untyped-call]  # untyped in marshmallow
    return messages


def _field_errors(error: ValidationError, replies: ReplySchema, place: str) -> Iterator[dict[str, str]]:
    known = ", ".join(replies.fields)
    for name, texts in _messages(error).items():
        found = replies.fields.get(name)
        if name == "_schema":
            yield {"field": place or "body", "problem": "Is no object.", "mend": f"Send an object with {known}."}
        elif found is None:
            named = f"{place}{'.' if place else ''}{mask(str(name)[:_NAME_LENGTH])}"
            yield {"field": named, "problem": "There is no such field.", "mend": f"Known: {known}."}
        else:
            yield {
                "field": f"{place}{'.' if place else ''}{name}",
                "problem": " ".join(map(str, texts)),
                "mend": found.metadata.get("x-mend", ""),
            }


def _classified(classifier: Classifier, asked: dict[str, Any]) -> dict[str, object]:
    wants_explanation = asked.pop("explain")
    reply = Reply(**asked)
    explanation = classifier.explain(reply) if wants_explanation else None
    said = explanation.classification if explanation else classifier.classify(reply)
    shown = {name: getattr(said, name) for name in said.__slots__}
    return {**shown, "rules_version": classifier.ruleset.version, "explanation": explanation}
