"""What is the web made of? Built from parts that are handed in; nothing happens when this is imported."""

from flask import Flask

from service.bootstrap import Hopp
from service.telemetry.metrics import WebMetrics
from service.web.api.alerts import alerts_routes
from service.web.api.classify import classify_routes
from service.web.api.deliveries import deliveries_routes
from service.web.api.domains import domains_routes
from service.web.api.events import events_routes
from service.web.api.sources import sources_routes
from service.web.gate import Gate
from service.web.guard import register_guard
from service.web.headers import register_headers
from service.web.openapi import make_api
from service.web.pages import register_pages
from service.web.probes import register_probes
from service.web.problems import register_problems
from service.web.receive import Receiver, register_receiver
from service.web.refusals import Refusals
from service.web.scrape import register_scrape


def create_app(hopp: Hopp) -> Flask:
    """The web application: webhooks, API, docs, health and metrics."""
    app = Flask(__name__)
    app.json.sort_keys = False  # type: ignore[attr-defined]  # Flask's own provider has it; keys keep the order of the schema
    metrics = WebMetrics()
    register_problems(app, hopp.database)
    register_guard(app, hopp)
    register_headers(app, metrics)
    app.extensions["hopp-refusals"] = refusals = Refusals(hopp)
    receiver = Receiver(hopp, metrics, refusals)
    register_receiver(app, receiver)
    app.wsgi_app = Gate(receiver, app.wsgi_app)  # type: ignore[method-assign]  # Flask's own way to put something before itself
    register_probes(app, hopp)
    register_scrape(app, hopp, metrics)
    api = make_api(app)
    for routes_of in (alerts_routes, domains_routes, events_routes, deliveries_routes, sources_routes, classify_routes):
        api.register_blueprint(routes_of(hopp).blueprint)
    register_pages(app, api)
    return app
