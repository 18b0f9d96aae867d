"""Names: resolved once for each connection, judged whole, dialled as judged; TLS and Host still see the name."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from mutoscope.outgoing import Destination, Limits, Outgoing, OutgoingError, Trouble
from outgoing.far import PUBLIC, Asked, Authority, TestTime, World, always, answer, serving

NAME = "api.example.com"
LIMITS = Limits(connect_s=3, first_byte_s=3, silence_s=3, whole_s=5)


@asynccontextmanager
async def through(world: World, tls: ssl.SSLContext, **more: Any) -> AsyncIterator[Outgoing]:
    """The way out to ``NAME`` and *.example.net, in a world."""
    destination = Destination(
        **{"name": "far", "base_url": f"https://{NAME}", "hosts": ("*.example.net",)} | more,
        headers={"Authorization": "Bearer planted"},
    )
    outgoing = Outgoing(destination, limits=LIMITS, time=TestTime(), resolve=world.resolve, dial=world.dial, tls=tls)
    try:
        yield outgoing
    finally:
        await outgoing.close()


async def failing(outgoing: Outgoing, address: str = "/x", method: str = "GET") -> OutgoingError:
    with pytest.raises(OutgoingError) as caught:
        await outgoing.ask(method, address)
    return caught.value


async def test_tls_and_host_see_the_name_and_the_checked_address_is_dialled(authority: Authority) -> None:
    async with serving(always(answer(200, b"hello")), authority.serving(NAME)) as server:
        world = World({NAME: [[PUBLIC]]}, {(PUBLIC, 443): server.port})
        async with through(world, authority.trusting()) as outgoing:
            assert (await outgoing.ask("GET", "/x")).body == b"hello"
    assert server.names == [NAME]
    assert server.asked[0].headers["host"] == NAME
    assert world.dialled == [(PUBLIC, 443)]
    assert world.resolved == [NAME]


async def test_a_name_that_turns_private_is_refused_at_the_next_connection(authority: Authority) -> None:
    async with serving(always(answer(200, b"", "Connection: close")), authority.serving(NAME)) as server:
        world = World({NAME: [[PUBLIC], ["127.0.0.1"]]}, {(PUBLIC, 443): server.port, ("127.0.0.1", 443): server.port})
        async with through(world, authority.trusting()) as outgoing:
            assert (await outgoing.ask("GET", "/x")).ok
            error = await failing(outgoing)
    assert (error.trouble, error.sent) == (Trouble.NOT_ALLOWED, False)
    assert world.dialled == [(PUBLIC, 443)]
    assert len(server.asked) == 1


@pytest.mark.parametrize("hidden", ["10.0.0.1", "169.254.169.254", "::ffff:127.0.0.1", "fe80::1%eth0", "100.64.0.1"])
async def test_one_private_address_among_public_ones_spoils_the_name(authority: Authority, hidden: str) -> None:
    world = World({NAME: [[PUBLIC, hidden]]}, {})
    async with through(world, authority.trusting()) as outgoing:
        assert (await failing(outgoing)).trouble is Trouble.NOT_ALLOWED
        assert (await failing(outgoing, method="POST")).sent is False
    assert world.dialled == []


async def test_a_result_host_is_judged_as_well(authority: Authority) -> None:
    world = World({"cdn.example.net": [["127.0.0.1"]]}, {})
    async with through(world, authority.trusting(), own_network=True) as outgoing:
        with pytest.raises(OutgoingError) as caught:
            _ = [chunk async for chunk in outgoing.stream("https://cdn.example.net/a.mp4")]
    assert (caught.value.trouble, caught.value.sent) == (Trouble.NOT_ALLOWED, False)
    assert world.dialled == []


async def test_the_operators_own_name_may_be_private_but_never_link_local(authority: Authority) -> None:
    async with serving(always(answer()), authority.serving(NAME)) as server:
        world = World({NAME: [["10.0.0.7"], ["169.254.169.254"]]}, {("10.0.0.7", 443): server.port})
        async with through(world, authority.trusting(), own_network=True) as outgoing:
            assert (await outgoing.ask("POST", "/x")).ok
            assert (await failing(outgoing, method="POST")).trouble is Trouble.NOT_ALLOWED
    assert world.dialled == [("10.0.0.7", 443)]


async def test_an_address_that_does_not_answer_leaves_the_next_its_turn(authority: Authority) -> None:
    async with serving(always(answer()), authority.serving(NAME)) as server:
        world = World({NAME: [["2606:2800::1", PUBLIC, PUBLIC]]}, {(PUBLIC, 443): server.port})
        async with through(world, authority.trusting()) as outgoing:
            assert (await outgoing.ask("GET", "/x")).ok
    assert world.dialled == [("2606:2800::1", 443), (PUBLIC, 443)]


async def test_a_name_that_does_not_resolve_was_never_asked(authority: Authority) -> None:
    for names in ({}, {NAME: [[]]}):
        async with through(World(names, {}), authority.trusting()) as outgoing:
            error = await failing(outgoing, method="POST")
        assert (error.trouble, error.sent) == (Trouble.NO_NAME, False)


async def test_a_resolver_or_a_host_that_never_answers_is_left_in_time(authority: Authority) -> None:
    class Slow(World):
        async def resolve(self, host: str, port: int) -> list[str]:
            await asyncio.sleep(30)
            return []

    outgoing = Outgoing(
        Destination(name="far", base_url=f"https://{NAME}"),
        limits=Limits(connect_s=0.2),
        time=TestTime(),
        resolve=Slow({}, {}).resolve,
    )
    error = await failing(outgoing, method="POST")
    await outgoing.close()
    assert (error.trouble, error.sent) == (Trouble.CONNECT_TIMEOUT, False)


@pytest.mark.parametrize("names", [("other.example.com",), ("example.com",), ("127.0.0.1",)])
async def test_a_certificate_for_another_name_is_refused_before_anything_is_sent(
    authority: Authority, names: tuple[str, ...]
) -> None:
    async with serving(always(answer()), authority.serving(*names)) as server:
        world = World({NAME: [[PUBLIC]]}, {(PUBLIC, 443): server.port})
        async with through(world, authority.trusting()) as outgoing:
            error = await failing(outgoing, method="POST")
    assert (error.trouble, error.sent) == (Trouble.NO_TLS, False)
    assert "Hostname mismatch" in str(error)
    assert server.asked == []


async def test_an_unknown_authority_and_a_server_without_tls_are_refused(authority: Authority) -> None:
    async with serving(always(answer()), authority.serving(NAME)) as server:
        world = World({NAME: [[PUBLIC]]}, {(PUBLIC, 443): server.port})
        async with through(world, ssl.create_default_context()) as outgoing:
            error = await failing(outgoing, method="POST")
    assert (error.trouble, error.sent, server.asked) == (Trouble.NO_TLS, False, [])

    async def plain(asked: Asked, writer: asyncio.StreamWriter) -> None:
        raise AssertionError("nothing readable can come")

    async with serving(plain) as server:
        world = World({NAME: [[PUBLIC]]}, {(PUBLIC, 443): server.port})
        async with through(world, authority.trusting()) as outgoing:
            error = await failing(outgoing, method="POST")
    assert (error.trouble, error.sent) in {(Trouble.NO_TLS, False), (Trouble.CONNECT_TIMEOUT, False)}


PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")


async def test_proxies_in_the_environment_are_not_used(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(always(answer(200, b"proxy"))) as proxy, serving(always(answer(200, b"far"))) as server:
        for name in PROXIES:
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        monkeypatch.delenv("NO_PROXY", raising=False)
        outgoing = Outgoing(Destination(name="far", base_url=f"http://127.0.0.1:{server.port}"), limits=LIMITS)
        assert (await outgoing.ask("GET", "/x")).body == b"far"
        await outgoing.close()
    assert proxy.connections == 0


@asynccontextmanager
async def scene(
    authority: Authority, here: Mapping[str, bytes], there: Mapping[str, bytes]
) -> AsyncIterator[tuple[Any, Any, Outgoing]]:
    """The provider itself and a host of results, each with answers by path."""

    def by_path(answers: Mapping[str, bytes]) -> Any:
        async def handle(asked: Asked, writer: asyncio.StreamWriter) -> None:
            writer.write(answers.get(asked.target, answer(404)))

        return handle

    async with (
        serving(by_path(here), authority.serving(NAME)) as own,
        serving(by_path(there), authority.serving("cdn.example.net")) as cdn,
    ):
        names = {NAME: [[PUBLIC]], "cdn.example.net": [["1.1.1.1"]], "inside.example.net": [["169.254.169.254"]]}
        world = World(names, {(PUBLIC, 443): own.port, ("1.1.1.1", 443): cdn.port})
        async with through(world, authority.trusting()) as outgoing:
            yield own, cdn, outgoing


def to(location: str, status: int = 302) -> bytes:
    return answer(status, b"", f"Location: {location}")


async def test_a_redirect_is_followed_without_the_key_even_back_home(authority: Authority) -> None:
    here = {"/content": to("https://cdn.example.net/a"), "/home": answer(200, b"film")}
    there = {"/a": to("b", 307), "/b": to(f"https://{NAME}/home", 308)}
    async with scene(authority, here, there) as (own, cdn, outgoing):
        stream = outgoing.stream("/content", headers={"X-Own": "planted"})
        assert b"".join([chunk async for chunk in stream]) == b"film"
    assert own.asked[0].headers["authorization"] == "Bearer planted"
    for asked in (*cdn.asked, own.asked[1]):
        assert "planted" not in str(asked.headers)
    assert [asked.target for asked in cdn.asked] == ["/a", "/b"]


async def test_the_key_is_not_sent_to_a_result_host(authority: Authority) -> None:
    async with scene(authority, {}, {"/a?sig=1": answer(200, b"film")}) as (_, cdn, outgoing):
        assert b"".join([chunk async for chunk in outgoing.stream("https://cdn.example.net/a?sig=1")]) == b"film"
        said = await outgoing.ask("PUT", "https://cdn.example.net/upload")
    assert said.keyed is False
    assert "planted" not in str([asked.headers for asked in cdn.asked])


@pytest.mark.parametrize(
    "location",
    [
        "http://169.254.169.254/latest/meta-data/", "https://169.254.169.254/", "https://inside.example.net/",
        "http://cdn.example.net/a", "https://evil.com/", "file:///etc/passwd", "//evil.com/", "https://[::1]/", "",
        "https://me@cdn.example.net/", "https://2852039166/", "/again",
    ],
)  # fmt: skip
async def test_a_redirect_to_where_may_not_be_asked_is_the_end(authority: Authority, location: str) -> None:
    async with scene(authority, {}, {"/a": to(location), "/again": to("/again")}) as (own, cdn, outgoing):
        with pytest.raises(OutgoingError) as caught:
            _ = [chunk async for chunk in outgoing.stream("https://cdn.example.net/a")]
    assert caught.value.trouble in {Trouble.REDIRECTED, Trouble.NOT_ALLOWED}
    assert (own.asked, len(cdn.asked)) == ([], 4 if location in {"/again", ""} else 1)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_of_a_post_is_an_answer_and_not_followed(authority: Authority, status: int) -> None:
    async with scene(authority, {"/jobs": to("https://cdn.example.net/a", status)}, {}) as (own, cdn, outgoing):
        assert (await outgoing.ask("POST", "/jobs")).status == status
    assert (len(own.asked), cdn.connections) == (1, 0)
