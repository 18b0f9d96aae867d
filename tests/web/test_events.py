"""The stream of what happens, through a real server."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import msgspec
import pytest

from mutoscope.domain.media import Visibility
from mutoscope.web.events import PER_CALLER
from web.answers import code
from web.house import POLICY, House, open_house, served

pytestmark = pytest.mark.asyncio(loop_scope="session")

PATIENCE_S = 20


class Follower:
    """One open stream."""

    def __init__(self, response: httpx2.Response) -> None:
        self.response = response
        self._lines = response.aiter_lines()
        self.last_id = ""

    async def next(self, kind: str | None = None) -> dict[str, Any]:
        """The next event (of a kind), with its data; comments are passed over."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                event = await self._one()
                if event["event"] == (kind or event["event"]):
                    return event

    async def next_comment(self) -> str:
        """The next comment."""
        async with asyncio.timeout(PATIENCE_S):
            return await anext(line async for line in self._lines if line.startswith(":"))

    async def until_end(self) -> list[str]:
        """Everything up to the end of the stream."""
        async with asyncio.timeout(PATIENCE_S):
            return [line async for line in self._lines]

    async def _one(self) -> dict[str, Any]:
        fields: dict[str, str] = {}
        async for line in self._lines:
            if not line and "event" in fields:
                self.last_id = fields["id"]
                return {"event": fields["event"], **json.loads(fields["data"])}
            name, _, value = line.partition(": ")
            if name in ("event", "id", "data"):
                fields[name] = value
        raise AssertionError("the stream ended")


@asynccontextmanager
async def following(house: House, headers: dict[str, str] | None = None, **params: str) -> AsyncIterator[Follower]:
    """A stream at a real server."""
    async with (
        served(house.app) as port,
        httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=PATIENCE_S) as client,
        client.stream("GET", "/api/events", params=params) as response,
    ):
        assert response.status_code == 200, await response.aread()
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        yield Follower(response)


async def test_an_item_is_told_of_as_soon_as_it_is_published(house: House) -> None:
    async with following(house) as stream:
        assert await stream.next() == {"event": "hello"}
        item = await house.published(house.alice)
        assert await stream.next() == {"event": "media", "id": item.id, "version": item.version}


async def test_a_person_hears_of_their_jobs_and_tokens_and_a_stranger_does_not(house: House) -> None:
    async with following(house, house.bearer(house.alice)) as own, following(house) as strange:
        await own.next("hello")
        await strange.next("hello")
        private = await house.published(house.alice, Visibility.PRIVATE)
        told = {await_["event"] for await_ in [await own.next() for _ in range(2)]}
        assert told <= {"generation", "media", "tokens"}
        public = await house.published(house.bob)
        first = await strange.next()
        assert (first["event"], first["id"]) == ("media", public.id)
        while (await own.next("media"))["id"] != private.id:
            pass


async def test_a_client_that_comes_back_misses_nothing(house: House) -> None:
    async with following(house) as stream:
        await stream.next("hello")
        seen = stream.last_id
    items = [await house.published(house.alice) for _ in range(3)]
    async with following(house, {"Last-Event-ID": seen}) as stream:
        assert [(await stream.next("media"))["id"] for _ in items] == [item.id for item in items]
        seen = stream.last_id
    later = await house.published(house.alice)
    async with following(house, after=seen) as stream:
        assert (await stream.next())["id"] == later.id


@pytest.mark.parametrize("cursor", ["made-up", "999999999", "0" * 200, "9.9"])
async def test_a_cursor_that_is_not_ours_leads_to_reading_everything_again(house: House, cursor: str) -> None:
    await house.published(house.alice)
    async with following(house, {"Last-Event-ID": cursor}) as stream:
        assert await stream.next() == {"event": "resync"}
        item = await house.published(house.alice)
        assert (await stream.next())["id"] == item.id


async def test_the_stream_ends_with_the_session(house: House) -> None:
    cookie = await house.session(house.alice)
    async with following(house, {"Cookie": cookie}) as stream:
        await stream.next("hello")
        await stream.next_comment()
        await house.studio.accounts.suspend(house.carol, "alice")
        lines = await stream.until_end()
    assert not any(line.startswith("event") and "hello" in line for line in lines)


async def test_the_stream_of_a_token_ends_when_it_was_signed_out_everywhere(house: House) -> None:
    async with following(house, house.bearer(house.alice)) as stream:
        await stream.next("hello")
        await house.studio.accounts.sign_out_everywhere(house.alice)
        await stream.until_end()


async def test_one_caller_has_so_many_streams_and_a_closed_one_makes_room(house: House) -> None:
    streams = house.app.state.streams
    async with served(house.app) as port:
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_S) as client:
            opened = [client.stream("GET", "/api/events") for _ in range(PER_CALLER)]
            for stream in opened:
                assert (await stream.__aenter__()).status_code == 200
            assert code(await client.get("/api/events")) == (429, "too_many")
            assert len(streams) == PER_CALLER
            for stream in opened:
                await stream.__aexit__(None, None, None)
        async with asyncio.timeout(PATIENCE_S):
            while len(streams):  # noqa: ASYNC110  # until the server has noticed
                await asyncio.sleep(0.01)


async def test_where_the_gallery_is_closed_a_stranger_follows_nothing(tmp_path: Any, darkroom: Any) -> None:
    closed = msgspec.structs.replace(POLICY, gallery_open=False)
    async with open_house(tmp_path, darkroom, closed) as house, house.client() as client:
        assert code(await client.get("/api/events")) == (401, "sign_in_needed")
        assert code(await client.get("/api/media")) == (401, "sign_in_needed")


async def test_a_server_that_stops_ends_its_streams(house: House) -> None:
    async with following(house) as stream:
        await stream.next("hello")
        house.app.state.streams.close()
        await stream.until_end()
