"""What has an ESP to be told, and what does it tell? The guide of docs/esp, written from what the adapter and its samples say."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from service.cli.samples.load import Sample
from service.esp_kit.adapter import Adapter, SigningKeys

_CHANCE = bytes(range(32))  # the guide asks only what kind of keys there are
_OUR_OWN = "generic"
_WHOLE_EVENT = "one-event-with-every-field"
_STATIC = {
    "basic": 'secrets = ["env:{variable}"]   # user:password, as entered at the ESP',
    "header": 'secrets = ["env:{variable}"]   # what the ESP sends in that header',
    "token": 'secrets = ["env:{variable}"]   # stands behind the address as ?token=…',
}
TELLS = {
    "delivered_events": "delivered mail",
    "smtp_text": "the server's words",
    "remote_host": "the server's name",
    "sending_ip": "the sending IP",
    "engagement": "opens and clicks",
}
_COVERS = {
    "body": "Each post is signed over its whole body: any changed byte is refused.",
    "token": "Each post carries a signed token that does not cover the body.",
    "static": "The ESP does not sign. A secret stands in: whoever knows it may post, so use https and a long one.",
}
_IN_BODY = (
    "Each post carries the secret itself in its body: whoever knows it may post, so use https. Hopp takes it out before the body is kept."
)


def secret_words(adapter: Adapter, auth: str | None) -> str:
    """What proves a post at a source with this `auth`, and where it has to be entered."""
    scheme, _, header = (auth or "signature").partition(":")
    match scheme:
        case "basic":
            return "user and password, the same at the ESP and as `user:password` in `secrets`"
        case "header":
            return f"the secret, in the header `{header}` of every post"
        case "token":
            return "the secret, behind the address as `?token=SECRET`"
        case "none":
            return "nothing: anybody may post"
    return _signing_secret(adapter.signer.make_keys(_CHANCE))


def guide_of(adapter: Adapter, samples: Sequence[Sample]) -> str:
    """The guide as Markdown."""
    parts = [
        f"# {adapter.title}",
        f"From nothing to the first event in five minutes. In `hopp.toml` this ESP is `{adapter.name}`.",
        "## 1. Add a source",
        _source(adapter),
        "Start Hopp again. `python -m service sources` prints the address to enter at the ESP.",
        "## 2. Where your mail is sent" if adapter.name == _OUR_OWN else f"## 2. At {adapter.title}",
        adapter.guide,
        *_example(adapter, samples),
        "## 3. See that it works",
        _trial(adapter, samples),
        "## What proves a post",
        "\n".join(_proofs(adapter)),
        "## What it tells",
        "\n".join(_tells(adapter)),
        *_words(adapter, samples),
        "## What it is answered",
        "\n".join(_answers(adapter)),
    ]
    return "\n\n".join(parts) + "\n"


def index_of(adapters: Iterable[Adapter]) -> str:
    """All ESPs in one table, as Markdown."""
    head = ["ESP", "name", "signed", *TELLS.values()]
    rows = [
        [
            f"[{adapter.title}]({adapter.name}.md)",
            f"`{adapter.name}`",
            {"body": "whole body", "token": "a token"}.get(adapter.capabilities.signature, "no"),
            *("yes" if getattr(adapter.capabilities, name) else "" for name in TELLS),
        ]
        for adapter in adapters
    ]
    introduction = (
        "Each guide takes about five minutes. Without delivered mail there is no rate: people who bounce are counted all the same. What to"
        " do about an ESP that is not here: [own-esp.md](../own-esp.md)."
    )
    return "\n\n".join(["# ESPs", introduction, _table(head, rows)]) + "\n"


def _signing_secret(keys: SigningKeys) -> str:
    if keys.private in keys.trust.secrets:
        return "the signing secret, the same on both sides, in `secrets`"
    if not keys.trust.certificates:
        return "the public key that the ESP signs with, in `secrets`"
    if keys.trust.secrets:
        return "the certificate of the ESP's authority, in `secrets`, and the topic in `topic_arns`"
    return "the ESP's own certificate, which Hopp fetches; the topic has to stand in `topic_arns`"


def _source(adapter: Adapter) -> str:
    variable = f"ACME_{adapter.name.upper()}"
    lines = ["[[source]]", f'name = "acme-{adapter.name.replace("_", "-")}"', f'esp = "{adapter.name}"']
    if "signature" in adapter.schemes:
        trust = adapter.signer.make_keys(_CHANCE).trust
        if trust.secrets:
            lines.append(f'secrets = ["env:{variable}"]   # {secret_words(adapter, None).partition(", in `secrets`")[0]}')
        if trust.options.get("topic_arns"):
            lines.append(f'topic_arns = ["{trust.options["topic_arns"][0]}"]   # of your own topic; any other is refused')
    else:
        scheme = adapter.schemes[0]
        lines += [f'auth = "{scheme}"', _STATIC[scheme].format(variable=variable)]
    return "\n".join(["```toml", *lines, "```"])


def _trial(adapter: Adapter, samples: Sequence[Sample]) -> str:
    lines = ["python -m service sources     # what came, and what became of it", "python -m service doctor      # what is missing"]
    sound = [sample for sample in samples if sample.is_sound]
    bounces = [sample for sample in sound if "bounced" in sample.kinds]
    cases = [sample.case for sample in (bounces if len(bounces) > 1 else sound)]  # a complaint box gets a stray bounce, too
    keys = adapter.signer.make_keys(_CHANCE)
    if keys.trust.certificates:
        words = "Nobody but the ESP can sign for this source, so let it send an event of its own, then ask:"
    elif keys.private not in keys.trust.secrets:
        words = (
            "Nobody but the ESP can sign for this source, so let it send an event of its own. Samples go to a source for tests: the first"
            " call prints its entry for `hopp.toml`."
        )
    else:
        words = "With `test = true` in the source, nothing that it gets is counted in any rate: send it a sample, then take the line out."
    if cases and not keys.trust.certificates:
        lines.insert(0, f"python -m service send-sample --esp {adapter.name} --case {min(cases, key=len)}")
    return "\n".join([words, "", "```sh", *lines, "```"])


def _proofs(adapter: Adapter) -> Iterator[str]:
    yield _IN_BODY if adapter.secret_in_body else _COVERS[adapter.capabilities.signature]
    if adapter.replay_window_hours is not None:
        yield f"The time of signing is part of it: a post older than {_age(adapter.replay_window_hours)} is refused."
    yield ""
    yield "| `auth` of the source | what proves a post |"
    yield "|---|---|"
    for scheme in adapter.schemes:
        written = {"signature": "left out", "header": '`"header:NAME"`'}.get(scheme, f'`"{scheme}"`')
        yield f"| {written} | {secret_words(adapter, None if scheme == 'signature' else scheme.replace('header', 'header:NAME'))} |"
    yield ""
    yield "Several secrets may be live at once: list the new one beside the old one while the ESP changes."


def _age(hours: float) -> str:
    return f"{hours:g} hours" if hours >= 1 else f"{round(hours * 60)} minutes"


def _tells(adapter: Adapter) -> Iterator[str]:
    told = [words for name, words in TELLS.items() if getattr(adapter.capabilities, name)]
    untold = [words for name, words in TELLS.items() if not getattr(adapter.capabilities, name)]
    yield f"It tells {_listed(told)}." if told else "It tells that a mail bounced, and no more."
    if untold:
        yield f"It does not tell {_listed(untold)}."
    if not adapter.capabilities.delivered_events:
        yield "Without delivered mail there is no rate: people who bounce are counted, and a warning comes from ten a day on."


def _example(adapter: Adapter, samples: Sequence[Sample]) -> Iterator[str]:
    """What others post is theirs to say; of our own JSON somebody has to write the first post."""
    for sample in samples:
        if (adapter.name, sample.case) == (_OUR_OWN, _WHOLE_EVENT):
            yield "`kind` has to be there, and `recipient` wherever a person is to be counted; what is not known is left out. All keys:"
            yield f"```json\n{sample.body.decode().strip()}\n```"


def _words(adapter: Adapter, samples: Sequence[Sample]) -> Iterator[str]:
    """Its own words for events, as the samples have them, and what each becomes."""
    if adapter.name == _OUR_OWN:
        return
    kinds: dict[tuple[str, str], dict[str, None]] = {}
    for sample in samples:
        for event in sample.expected.get("events", ()) if sample.is_sound else ():
            key = (event.get("esp_event_type", ""), event.get("esp_class", ""))
            kinds.setdefault(key, {})[_meaning(event)] = None
    if not kinds:
        return
    yield "Its words and what they become; where there are several, the server's answer or a finer class decides."
    yield _table(
        ["event", "class", "becomes"],
        [[_code(event_type), _code(esp_class), ", ".join(found)] for (event_type, esp_class), found in sorted(kinds.items())],
    )


def _meaning(event: Mapping[str, str]) -> str:
    reported = event.get("reported_type")
    return f"`{event['kind']}`" + (f" ({reported})" if reported else "")


def _answers(adapter: Adapter) -> Iterator[str]:
    yield "These statuses are chosen so that this ESP loses no event:"
    yield ""
    yield "| when | status |"
    yield "|---|---|"
    yield f"| kept durably | {adapter.answers.accepted} |"
    yield f"| no proof of origin | {adapter.answers.refused} |"
    yield f"| it cannot be kept right now | {adapter.answers.unavailable} |"
    others = [method for method in adapter.methods if method != "POST"]
    if others:
        yield f"\nBeside POST it may ask by {_listed(others)}."
    if adapter.handshake is not None:
        yield "\nWhen the address is entered, the ESP may ask for an answer of its own; Hopp gives it."


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _code(word: str) -> str:
    return f"`{word.replace('|', '/')}`" if word else ""


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))
