"""How does a post reach its source without passing what the rest of the web needs?

Posts of known sources come by the thousand, and Flask's routing, contexts and hooks around one cost more than verifying
and keeping it. So they are picked out before; whatever else comes, or is written otherwise, goes its way through Flask.
"""

from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING

from service.web.problems import title_of
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
        start_response(_status_line(answer.status), headers)
        return (body,)


@cache
def _status_line(status: int) -> str:
    return f"{status} {title_of(status)}"
