"""Does an adapter hold against one post: nothing but the declared refusal comes out, and nothing unsound?"""

from dataclasses import replace

from fuzz.posts import Post
from service.esp_kit.adapter import Accepted, Adapter, Handshake, NeedsCertificate, Refused, WebhookRequest
from service.model.errors import UnreadableError
from tests.esp.cases import NOW, delivery_of, keys_of
from tests.esp.soundness import LOOKED_AT, check_import, check_sound

_URL = "https://hooks.example.com/webhooks/s"


def check(adapter: Adapter, post: Post) -> None:
    """Verify it, shake hands, read it twice; AssertionError, or whatever the adapter lets out, where it does not hold."""
    headers = {"content-type": post.content_type}
    trust = keys_of(adapter).trust
    asked = WebhookRequest(method="POST", url=_URL, headers=headers, query=post.query, body=post.body)
    assert isinstance(adapter.verify(asked, trust, NOW), Accepted | Refused | NeedsCertificate)
    if adapter.handshake is not None:
        for method in adapter.methods:
            answer = adapter.handshake(replace(asked, method=method), trust)
            assert answer is None or isinstance(answer, Handshake)
    delivery = replace(delivery_of(post.body, headers), query=post.query)
    try:
        parsed = adapter.parse(delivery)
    except UnreadableError:
        return
    check_sound(parsed)
    for event in parsed.events[:LOOKED_AT]:
        check_import(event)
    assert adapter.parse(delivery) == parsed
