"""How does a post reach its source without passing what the rest of the web needs?

Posts of known sources come by the thousand, and Flask's routing, contexts and hooks around one cost more than verifying
and keeping it. So they are picked out before; whatever else comes, or is written otherwise, goes its way through Flask.

Two ways lead through: a thread may wait until a post is kept, and our own worker's loop goes on and hears of it later.
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from service.web.answers import Answer
from service.web.plain import PlainHead
from service.web.problems import status_line
from service.web.receive import PREFIX, Receiver

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class Gate:
    """A WSGI application in front of another one."""

    def __init__(self, receiver: Receiver, rest: "WSGIApplication") -> None:
        self._receiver = receiver
        self._rest = rest
        self._sources = {f"{PREFIX}{name}": name for name in receiver.sources}

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        source = self._sources.get(environ["PATH_INFO"]) if environ["REQUEST_METHOD"] == "POST" else None
        if source is None:
            return self._rest(environ, start_response)
        answer = self._receiver.receive(source, environ)
        body = answer.body.encode()
        headers = [("Content-Type", answer.content_type), ("Content-Length", str(len(body))), *answer.headers.items()]
        start_response(status_line(answer.status), headers)
        return (body,)

    def begin(self, head: PlainHead, body: bytes, remote: str, answered: Callable[[Answer], None]) -> bool:
        """Take in a plain post without waiting; False where it has to go through the application after all.

        `answered` is called once, from any thread and maybe at once.
        """
        source = self._sources.get(head.path)
        return source is not None and self._receiver.begin(source, head, body, remote, answered)
