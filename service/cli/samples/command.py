"""The command that posts signed samples of what an ESP sends."""

import sys
from collections.abc import Sequence
from urllib.parse import urlsplit

import click

from service.bootstrap import Hopp, build
from service.cli.local import own_url
from service.cli.options import chosen_adapter
from service.cli.samples.load import Sample, load_samples
from service.cli.samples.signing import SampleSigner, choose_source, is_demo, signer_for
from service.esp_kit.adapter import WebhookRequest
from service.outbound.service_client import ServiceClient
from service.settings import SourceSettings, settings_from_process

_SUCCESS = range(200, 300)
_OTHER_SETTINGS = "Does the service run with this hopp.toml? If its secrets changed since, start it again."
_REASONS = {
    401: _OTHER_SETTINGS,
    403: _OTHER_SETTINGS,
    429: _OTHER_SETTINGS,
    404: "The running service knows no such source: does it run with this hopp.toml? Start it again.",
}
_UNEXPECTED = "Its log says why."


@click.command("send-sample")
@click.option("--esp", required=True, help="Whose posts; `sources --available` lists the ESPs.")
@click.option("--case", help="Which sample; without it one of each kind of event.")
@click.option("--source", "source_name", help="The source it is posted to; the ESP's test source, or its demo source, by default.")
@click.option("--url", help="Address of the running web; HOPP_BIND by default.")
@click.option("--print", "only_prints", is_flag=True, help="Print the signed posts and send nothing.")
@click.option("--list", "only_lists", is_flag=True, help="List the cases and the kinds of their events.")
def send_sample_command(
    *, esp: str, case: str | None, source_name: str | None, url: str | None, only_prints: bool, only_lists: bool
) -> None:
    """Post a sample of each kind of event that an ESP reports, signed as the ESP signs.

    They go to a source with `test = true`, whose events are counted in no rate, or to a demo source; to another one where --case or
    --source names what is wanted. The secret is the one of the source in hopp.toml. Where the ESP signs with a private key, the sample
    is signed with a key of its own in var/ of this folder, and a source that would believe it is printed.
    """
    hopp = build(settings_from_process())
    samples = _chosen(hopp, esp, case)
    if only_lists:
        _list(samples)
        return
    source = choose_source(hopp, esp, source_name)
    signer = signer_for(hopp, hopp.adapters[esp], source)
    if source is None:
        click.echo(f"send-sample: no source of hopp.toml believes these samples; this one would:\n\n{signer.wanted}\n", err=True)
    if only_prints:
        _print(hopp, signer, _one_of_each_kind(samples))
    elif source is None:
        raise click.ClickException("nothing was posted. Add the source, start Hopp again, then repeat.")
    else:
        _refuse_live(source, is_named=source_name is not None or case is not None)
        click.echo(f"send-sample: made-up mail goes to {source.name}{'' if source.is_test else ', where it is counted'}", err=True)
        with ServiceClient(url or own_url(hopp.settings.bind)) as client:
            _post(hopp, client, signer, _one_of_each_kind(samples))


def _chosen(hopp: Hopp, esp: str, case: str | None) -> Sequence[Sample]:
    chosen_adapter(hopp.adapters, esp)
    samples = load_samples(esp)
    if not samples:
        message = f"there are no samples of {esp}, which a mapping file describes: post a body of its own"
        raise click.UsageError(message)
    chosen = [sample for sample in samples if case in {None, sample.case}]
    if not chosen:
        message = f"{esp} has no case {case!r}; there are: {', '.join(sample.case for sample in samples)}"
        raise click.UsageError(message)
    return chosen


def _one_of_each_kind(samples: Sequence[Sample]) -> Sequence[Sample]:
    """The first sample of each kind, of those that can be read whole; a case that was named stands for itself."""
    if len(samples) == 1:
        return samples
    by_kind: dict[str, Sample] = {}
    for sample in samples:
        for kind in sample.kinds if sample.is_sound else ():
            by_kind.setdefault(kind, sample)
    return list({sample.case: sample for sample in by_kind.values()}.values())


def _list(samples: Sequence[Sample]) -> None:
    for sample in samples:
        click.echo(f"{sample.case:<50} {', '.join(sample.kinds) or 'no event'}")


def _refuse_live(source: SourceSettings, *, is_named: bool) -> None:
    """A whole set of made-up events in a source of true mail has to be wanted; one case, or a source that was named, is."""
    if source.is_test or is_demo(source) or is_named:
        return
    message = (
        f"{source.name} is no test source: what it gets is counted as if it were true. Nothing was posted. Add a [[source]] of"
        f" {source.esp} with test = true, or name what you want: --case CASE, or --source {source.name}"
    )
    raise click.ClickException(message)


def _print(hopp: Hopp, signer: SampleSigner, samples: Sequence[Sample]) -> None:
    """As it goes over the wire, one post after the other."""
    for sample in samples:
        request = signer.signed(sample, hopp.now())
        headers = {"host": urlsplit(request.url).netloc, **request.headers, "content-length": str(len(request.body))}
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        line = f"POST {_path(signer, request)} HTTP/1.1\r\n"
        sys.stdout.buffer.write((line + head + "\r\n").encode("latin-1", "replace") + request.body + b"\r\n\r\n")


def _post(hopp: Hopp, client: ServiceClient, signer: SampleSigner, samples: Sequence[Sample]) -> None:
    """Post each, and end with 1 where one was not taken."""
    statuses = set()
    for sample in samples:
        request = signer.signed(sample, hopp.now())
        answer = client.post(_path(signer, request), body=request.body, headers=request.headers)
        statuses.add(answer.status)
        click.echo(f"{answer.status}  {sample.case:<50} {', '.join(sample.kinds) or 'no event'}")
    refused = sorted(status for status in statuses if status not in _SUCCESS)
    for status in refused:
        click.echo(f"send-sample: {signer.name} answered {status}. {_REASONS.get(status, _UNEXPECTED)}", err=True)
    sys.exit(1 if refused else 0)


def _path(signer: SampleSigner, request: WebhookRequest) -> str:
    return f"/webhooks/{signer.name}{'?' if request.query else ''}{request.query}"
