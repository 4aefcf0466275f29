"""What does the HTTP layer alone take? A Flask view that reads the body and answers 204."""

from flask import Flask, Response, request

app = Flask("bare")


@app.post("/")
def take() -> Response:
    """Keep nothing."""
    request.get_data(cache=False)
    return Response(status=204)


@app.get("/healthz")
def live() -> Response:
    """There."""
    return Response(status=204)
