"""Does the client of the benchmarks count what a server really answered?"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from bench.client import Outcome, Plan, Run

Handler = BaseHTTPRequestHandler


@contextmanager
def answering(answer: Callable[[Handler, int], None]) -> Iterator[tuple[str, list[bytes]]]:
    """A server on loopback: its address and the bodies that came; `answer` gets the number of each post."""
    bodies: list[bytes] = []

    class Answering(Handler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:  # noqa: N802 - the server looks for this name
            bodies.append(self.rfile.read(int(self.headers["content-length"])))
            answer(self, len(bodies))

        def log_message(self, *_: object) -> None:
            """Tests are quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/", bodies
        finally:
            server.shutdown()
            thread.join()


def with_length(handler: Handler, _number: int) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "2")
    handler.end_headers()
    handler.wfile.write(b"{}")


def in_chunks(handler: Handler, _number: int) -> None:
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    handler.wfile.write(b"2\r\n{}\r\n")
    handler.wfile.write(b"0\r\n\r\n")


def without_body(handler: Handler, _number: int) -> None:
    handler.send_response(204)
    handler.end_headers()


def every_third_refused(handler: Handler, number: int) -> None:
    handler.send_response(503 if number % 3 == 0 else 204)
    handler.end_headers()


def third_cut_off(handler: Handler, number: int) -> None:
    if number == 3:
        handler.close_connection = True
        return
    without_body(handler, number)


def ran(url: str, count: int, *, rate: float | None = None) -> Outcome:
    plan = Plan(target=url, esp="mailgun", seed=1, count=count, seconds=30, connections=3, rate=rate)
    body = b"x" * 300_000  # more than a socket takes at once
    head = b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n" % (len(body) + 4)
    return Run(plan, [head + body + b"%04d" % number for number in range(count)]).run()


def test_every_post_arrives_whole_and_once() -> None:
    for answer in (with_length, in_chunks, without_body):
        with answering(answer) as (url, bodies):
            outcome = ran(url, 20)
        assert (outcome.accepted, outcome.other) == (20, {})
        assert sorted(body[-4:] for body in bodies) == [b"%04d" % number for number in range(20)]


def test_refused_post_is_counted_by_its_status() -> None:
    with answering(every_third_refused) as (url, _):
        outcome = ran(url, 9)
    assert (outcome.accepted, outcome.other) == (6, {"503": 3})


def test_post_without_an_answer_is_counted_and_the_load_goes_on() -> None:
    with answering(third_cut_off) as (url, _):
        outcome = ran(url, 9)
    assert (outcome.accepted, outcome.other) == (8, {"broken": 1})


def test_posts_at_a_rate_take_their_time() -> None:
    with answering(without_body) as (url, _):
        outcome = ran(url, 20, rate=400)
    assert outcome.accepted == 20
    assert outcome.seconds >= 19 / 400
