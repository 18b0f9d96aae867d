"""Where may be asked: no network of the operator's is reached through a provider's words, however they are spelled."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mutoscope.outgoing import Destination, NotAllowed
from mutoscope.outgoing.networks import is_own, is_public

NOT_PUBLIC = [
    "0.0.0.0", "0.1.2.3", "10.1.2.3", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.8.8.8", "169.254.169.254",
    "172.16.0.1", "172.31.255.255", "192.0.0.8", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.51.100.7",
    "203.0.113.9", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "::ffff:0:10.0.0.1", "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe", "64:ff9b:1::808:808", "100::1", "2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:2::1",
    "2001:10::1", "2001:20::1", "2001:db8::1", "2002:7f00:1::1", "2002:808:808::1", "3fff::1", "5f00::1", "fc00::1",
    "fd12:3456::1", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "4000::1",
]  # fmt: skip
FAL = Destination(name="fal", base_url="https://queue.fal.run", hosts=("*.fal.media", "storage.example.com"))
ANY = Destination(name="any", base_url="https://api.example.com/v1", any_public_host=True)


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_what_is_not_the_internet_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1",
        "8.8.8.8",
        "93.184.215.14",
        "100.63.255.255",
        "172.32.0.1",
        "2606:2800:21f:cb07::1",
        "64:ff9b::808:808",
    ],
)
def test_the_internet_is_public(address: str) -> None:
    assert is_public(address)


@given(st.ip_addresses())
def test_nothing_is_public_that_python_knows_to_be_special(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    special = (
        ip.is_private or ip.is_loopback or ip.is_link_local or ip.is_multicast or ip.is_reserved or ip.is_unspecified
    )
    carries = isinstance(ip, ipaddress.IPv6Address) and (ip.ipv4_mapped or ip.sixtofour or ip.teredo)
    if special or carries:
        assert not is_public(str(ip)) or ip in ipaddress.ip_network("64:ff9b::/96")
    assert not (is_public(str(ip)) and is_own(str(ip)))


@pytest.mark.parametrize(
    "address", ["169.254.169.254", "0.0.0.0", "224.0.0.1", "fe80::1", "::", "::ffff:127.0.0.1", "8.8.8.8"]
)
def test_the_operators_own_network_has_no_link_local_addresses(address: str) -> None:
    assert not is_own(address)


@pytest.mark.parametrize(
    "address",
    [
        "http://v3.fal.media/a.mp4", "https://v3.fal.media:8443/a.mp4", "https://fal.media.evil.com/a", "https://evilfal.media/",
        "https://fal.media/", "https://user@v3.fal.media/a", "https://user:pw@v3.fal.media/a", "https://v3.fal.media./a",
        "https://v3.fal.media\\@evil.com/a", "https://v3.fal.media@evil.com/a", "https://evil.com#v3.fal.media",
        "https://evil.com?.fal.media", "https://v3.fal.media%2eevil.com/", "https://v3.fal.media%00.evil.com/",
        "https://127.0.0.1/", "https://2130706433/", "https://0x7f000001/", "https://017700000001/", "https://0177.0.0.1/",
        "https://0x7f.1/", "https://127.1/", "https://[::1]/", "https://[::ffff:127.0.0.1]/", "https://[fe80::1%25eth0]/",
        "https://①②⑦.⓪.⓪.①/", "https://localhost/", "https://v3.fal.media/\r\nX-Evil: 1", "https://v3.fal.media/\x00",
        "//v3.fal.media/a", "file:///etc/passwd", "ftp://v3.fal.media/a", "gopher://v3.fal.media/", "https:///a", "https://",
        "", "a.mp4", "https://v3.fal.media:99999999/", "https://[/", "https://" + "a" * 9_000 + ".fal.media/",
    ],
)  # fmt: skip
def test_an_address_that_the_provider_gave_is_not_trusted(address: str) -> None:
    with pytest.raises(NotAllowed):
        FAL.url(address)


@pytest.mark.parametrize(
    "address",
    [
        "https://2130706433/", "https://0x7f.1/", "https://127.0.0.1/", "https://8.8.8.8/", "https://[2606:2800::1]/",
        "https://localhost/", "https://intranet/", "http://cdn.example.org/", "https://cdn.example.org:8443/",
        "https://1.2.3.0x4/", "https://a.0177/", "https://cdn.example.org.1/",
    ],
)  # fmt: skip
def test_where_any_host_may_be_it_has_a_name_and_the_usual_port(address: str) -> None:
    with pytest.raises(NotAllowed):
        ANY.url(address)


def test_known_hosts_and_the_origin_itself_may_be_asked() -> None:
    assert str(FAL.url("https://v3.fal.media/files/a%20b.mp4?x=1")) == "https://v3.fal.media/files/a%20b.mp4?x=1"
    assert FAL.url("HTTPS://A.B.FAL.MEDIA/").host == "a.b.fal.media"
    assert str(FAL.url("https://storage.example.com:443/a")) == "https://storage.example.com/a"
    assert str(FAL.url("https://queue.fal.run:443/requests/1")) == "https://queue.fal.run/requests/1"
    assert ANY.url("https://bücher.example.org/").raw_host == b"xn--bcher-kva.example.org"


def test_a_path_stays_below_the_base_address() -> None:
    assert str(ANY.url("/videos?limit=1")) == "https://api.example.com/v1/videos?limit=1"
    slashed = Destination(name="far", base_url="https://api.example.com/v1/")
    assert str(slashed.url("/videos/a%2Fb")) == "https://api.example.com/v1/videos/a%2Fb"
    for path in ("/..", "/../keys", "/a/../../keys", "//evil.com/a", "/a\r\nX: y"):
        with pytest.raises(NotAllowed):
            ANY.url(path)


@pytest.mark.parametrize(
    "base_url",
    [
        "",
        "api.example.com",
        "ftp://a.example.com",
        "https://",
        "https://me:pw@a.example.com",
        "https://a.example.com?x=1",
    ],
)
def test_a_base_address_has_scheme_and_host_and_nothing_secret(base_url: str) -> None:
    with pytest.raises(ValueError, match=r"base address|not an address"):
        Destination(name="far", base_url=base_url)


@pytest.mark.parametrize("host", ["*", "*.", "*.media", "a.*.media", "https://fal.media", "fal.media/x", "10.0.0.1"])
def test_hosts_are_names(host: str) -> None:
    with pytest.raises(ValueError, match="name of a host"):
        Destination(name="far", base_url="https://a.example.com", hosts=(host,))


def test_a_key_that_no_header_can_have_is_refused_without_being_told() -> None:
    with pytest.raises(ValueError, match="Authorization") as caught:
        Destination(name="far", base_url="https://a.example.com", headers={"Authorization": "Bearer planted\r\nX: y"})
    assert "planted" not in str(caught.value)


@pytest.mark.parametrize(
    ("base_url", "own_network", "on_purpose"),
    [
        ("http://comfyui:8188", False, True), ("http://127.0.0.1:8188", False, True), ("https://192.168.1.5", False, True),
        ("https://localhost:8443", False, True), ("https://[fd00::5]/v1", False, True),
        ("https://api.example.com", False, False), ("https://llm.example.com", True, True),
    ],
)  # fmt: skip
def test_only_what_the_operator_named_may_be_in_his_own_network(
    base_url: str, own_network: bool, on_purpose: bool
) -> None:
    destination = Destination(name="far", base_url=base_url, own_network=own_network)
    scheme, host, port = destination.origin
    assert destination.is_on_purpose((scheme, host, port)) is on_purpose
    assert not destination.is_on_purpose((scheme, host, port + 1))
    assert not destination.is_on_purpose((scheme, "other.example.com", port))
