"""Do hosts and domains show who stands behind them?"""

import pytest

from service.classify.domains import DomainBook
from service.classify.gateways import GatewayTable
from service.model.errors import DataFileError
from service.model.words import DomainClass

_HOSTS = {
    "example-com.mail.protection.outlook.com.": "microsoft_365",
    "Example-COM.mail.protection.OUTLOOK.com": "microsoft_365",
    "example-com.r-v1.mx.microsoft": "microsoft_365",
    "hotmail-com.olc.protection.outlook.com": "microsoft_consumer",
    "aspmx.l.google.com": "google",
    "aspmx3.googlemail.com": "google",
    "mx0a-00112233.pphosted.com": "proofpoint_enterprise",
    "mxa-00112233.gslb.pphosted.com": "proofpoint_enterprise",
    "mx1-eu1.ppe-hosted.com": "proofpoint_essentials",
    "de-smtp-inbound-2.mimecast.com": "mimecast",
    "mx1.hc1234-56.iphmx.com": "cisco",
    "d123456a.ess.barracudanetworks.com": "barracuda",
    "d123456b.ess.de.barracudanetworks.com": "barracuda",
    "example.in.tmes.trendmicro.eu": "trendmicro",
    "cluster5.eu.messagelabs.com": "symantec_cloud",
    "mailstream-eu1.mxrecord.io": "cloudflare_area1",
    "route2.mx.cloudflare.net": "cloudflare_routing",
    "mx03.hornetsecurity.com": "hornetsecurity",
    "mx-01-eu-west-1.prod.hydra.sophos.com": "sophos",
    "cust1234-1.in.mailcontrol.com": "forcepoint",
    "inbound-smtp.eu-west-1.amazonaws.com": "amazon_ses",
    "mta5.am0.yahoodns.net": "yahoo",
}


@pytest.mark.parametrize(("host", "vendor"), _HOSTS.items(), ids=_HOSTS)
def test_mail_server_gives_its_vendor_away(gateways: GatewayTable, host: str, vendor: str) -> None:
    found = gateways.find(host)
    assert found is not None
    assert found.vendor == vendor


@pytest.mark.parametrize("host", ["mail.cisco.com", "www.hornetsecurity.com", "evilpphosted.com", "pphosted.com.example.com", "", "."])
def test_other_hosts_are_nobodys(gateways: GatewayTable, host: str) -> None:
    assert gateways.find(host) is None


def test_any_gateway_among_the_mx_hosts_is_the_one_who_answers(gateways: GatewayTable) -> None:
    found = gateways.find_among(["aspmx.l.google.com", "mx0a-1.pphosted.com"])
    assert found is not None
    assert found.vendor == "proofpoint_enterprise"


def test_best_mx_decides_where_no_gateway_is_among_them(gateways: GatewayTable) -> None:
    found = gateways.find_among(["mx.example.com", "aspmx.l.google.com", "mx.zoho.com"])
    assert found is not None
    assert (found.vendor, found.is_security_gateway) == ("google", False)


def test_unknown_mx_hosts_have_no_gateway(gateways: GatewayTable) -> None:
    assert gateways.find_among(["mx.example.com"]) is None


def test_longer_pattern_goes_before_a_shorter_one() -> None:
    table = GatewayTable.load('[one]\nsecurity = false\nhosts = ["*.example.com"]\n[two]\nsecurity = true\nhosts = ["mx*.example.com"]')
    names = [found.vendor if found else None for found in map(table.find, ("mx1.example.com", "a.mx1.example.com", "web.example.com"))]
    assert names == ["two", "two", "one"]


_FAULTS = {
    'hosts = ["*.a.example"]': "pattern `\\*\\.a\\.example` of two is one's already",
    'hosts = ["*.b.*"]': "has no fixed ending",
}


@pytest.mark.parametrize(("hosts", "fault"), _FAULTS.items(), ids=_FAULTS)
def test_faulty_table_is_refused(hosts: str, fault: str) -> None:
    with pytest.raises(DataFileError, match=fault):
        GatewayTable.load(f'[one]\nsecurity = false\nhosts = ["*.a.example"]\n[two]\nsecurity = false\n{hosts}')


def test_domain_classes(gateways: GatewayTable) -> None:
    book = DomainBook.load("# people\ngmail.com\nGMX.de  # a comment\n\n", gateways.security_vendors)
    found = [
        book.domain_class("Gmail.com.", "google"),
        book.domain_class("gmx.de", "mimecast"),
        book.domain_class("example.com", "mimecast"),
        book.domain_class("example.com", "google"),
        book.domain_class("example.com", None),
    ]
    assert found == [
        DomainClass.CONSUMER,
        DomainClass.CONSUMER,
        DomainClass.BUSINESS_GATEWAY,
        DomainClass.BUSINESS,
        DomainClass.BUSINESS,
    ]


@pytest.mark.parametrize("domain", ["gmail.com", "hotmail.fr", "yahoo.co.jp", "icloud.com", "web.de", "qq.com", "wp.pl", "orange.fr"])
def test_shipped_list_knows_the_large_ones(consumer_domains: str, domain: str) -> None:
    assert DomainBook.load(consumer_domains).domain_class(domain) is DomainClass.CONSUMER


@pytest.mark.parametrize("domain", ["att.com", "verizon.com", "bt.com", "stanford.edu", "cisco.com", "google.com", "microsoft.com"])
def test_companies_with_consumer_brands_stay_companies(consumer_domains: str, domain: str) -> None:
    assert DomainBook.load(consumer_domains).domain_class(domain) is DomainClass.BUSINESS


def test_shipped_list_names_each_domain_once(consumer_domains: str) -> None:
    names = [line for line in consumer_domains.splitlines() if line and not line.startswith("#")]
    assert len(names) == len(set(names)) > 500
