"""Which headers keep a browser from doing anything with our answers but show them?"""

from flask import Flask, Response, request

from service.telemetry.metrics import WebMetrics
from service.web.api.lists import finish
from service.web.guard import PREFIX
from service.web.receive import ENDPOINT

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
}


def register_headers(app: Flask, metrics: WebMetrics) -> None:
    """Add them to every answer but those to ESPs, which show nothing and come by the thousand."""

    def complete(response: Response) -> Response:
        if request.endpoint == ENDPOINT:
            return response
        response.headers.update(_HEADERS)
        if request.path.startswith(PREFIX):
            rule = request.url_rule.rule if request.url_rule is not None else "none"
            metrics.api_requests.labels(rule, str(response.status_code)).inc()
            if response.status_code == 200:  # noqa: PLR2004 - only a whole answer can be compared
                finish(response).make_conditional(request)
        return response

    app.after_request(complete)
