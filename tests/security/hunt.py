"""The hunt for what is withheld: every route, asked in many ways, and every answer searched for a locked item's secrets."""

import base64
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import msgspec
from msgspec import structs

from cast import facts, grant, person, wish
from mutoscope.domain.media import BLURRED, Media, Variant, Visibility
from mutoscope.domain.people import Person
from mutoscope.domain.rights import Viewer
from mutoscope.domain.sharing import ShareLink
from mutoscope.services.sharing import Wish
from web.house import BASE, OUR_PAGE, House, content

SHARP = [variant for variant in Variant if variant not in BLURRED]
WORDS = {
    "title": "Quokkaparade",
    "prompt": "zinfandel harpsichord beneath the obelisk",
    "negative_prompt": "nomarzipan",
    "description": "Telling of zinfandel harpsichords",
}
EMAIL = "alice-of-the-hunt@mailbox.example"
"""Where the owner gets mail: for her, and for nobody else."""
GUESSES = ("zinfandel", "harpsichord", "obelisk", "quokkaparade", "telling", "secretly", "nomarzipan", "unbiased")
"""Words of the item, one at a time; the last two are not searchable at all, or words that it does not have."""
WITH_ADDRESSES = ("once signed", "expired", "forged", "signed for another", "with alice's", "bob with alice's")
WITH_LINKS = (
    "linked",
    "linked to alice",
    "once linked",
    "linked to its collection",
    "linked to another",
    "link taken off",
)
STRANGERS = ("stranger", "bob", "suspended", "refunded", *WITH_ADDRESSES, *WITH_LINKS)
WAYS: tuple[dict[str, str], ...] = (
    {},
    {"Accept": "text/html"},
    {"X-Fragment": "1", "Accept": "text/html"},
    {"Range": "bytes=0-99"},
    {"Range": "bytes=-50", "If-Range": '"x"'},
    {"If-None-Match": "*"},
    {"X-Original-URL": "/api/me", "X-Forwarded-For": "127.0.0.1", "X-HTTP-Method-Override": "GET"},
)
BODIES: tuple[dict[str, Any], ...] = (
    {},
    {"json": {}},
    {"json": {"price": 4}},
    {"json": {"unlock_price": 0, "is_blurred": False, "title": "mine"}},
    {"data": {"title": "mine", "tags": "", "visibility": "public", "price": "4", "unlock_price": "0", "name": "alice"}},
    {"json": {"ids": ["med_00000000000000000000000000"], "title": "mine", "cover": ""}},
)


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """Share links: to the item, with its secret and the addresses of files from before it was locked; to another item; and
    to a collection that holds the item, with its secret.
    """

    link: ShareLink
    secret: str
    collected: ShareLink
    secret_of_collection: str
    once: Mapping[Variant, str]
    other: ShareLink


class Quarry:
    """A locked item of alice's, in a public collection of hers, and all of it that must not be found."""

    def __init__(
        self, house: House, item: Media, refunded: Person, suspended: str, once: Mapping[Variant, str], given: Given
    ) -> None:
        self.house, self.item, self.refunded, self._suspended, self._once = house, item, refunded, suspended, once
        self.given = given
        texts = [*WORDS.values(), item.facts.sha256, item.placeholder, str(item.seed), str(item.facts.size_bytes)]
        texts += [EMAIL, EMAIL.partition("@")[0], *item.tags, "deepest-model", "cfg-7531", item.facts.codec]
        self._texts = {text.lower().encode() for text in texts}
        self._bytes = {form for variant in SHARP for form in _forms(content(item.id, variant))}

    @property
    def collection_id(self) -> str:
        """The public collection that holds the item."""
        return self.given.collected.target

    def found_in(self, text: bytes) -> list[bytes]:
        """What of it stands in an answer."""
        low = text.lower()
        return [secret for secret in self._texts if secret in low] + [part for part in self._bytes if part in text]

    @asynccontextmanager
    async def hunter(self, name: str) -> AsyncIterator[httpx2.AsyncClient]:
        """A client of that stranger's."""
        people = {"bob": self.house.bob, "refunded": self.refunded, "bob with alice's": self.house.bob}
        # As they are by now: some of what was asked before signs people out everywhere.
        found = await self.house.store.people.get(people[name].id) if name in people else None
        headers = self.house.bearer(found) if found else {}
        if name == "suspended":
            headers = {"Cookie": self._suspended} | OUR_PAGE
        async with self.house.client(headers) as client:
            yield client

    def query(self, hunter: str, variant: Variant, other: Media) -> str:
        """What stands behind the address of a file, for those who come with one."""
        addresses = self.house.studio.addresses
        match hunter:
            case "once signed":
                return self._once[variant].partition("?")[2]
            case "signed for another":
                return addresses.path(other, variant).partition("?")[2]
            case "linked":
                return addresses.path(self.item, variant, self.given.link.id).partition("?")[2]
            case "linked to alice":
                return (
                    f"l={self.house.alice.id}&"
                    + addresses.path(self.item, variant, self.house.alice.id).partition("?")[2]
                )
            case "linked to its collection":
                return addresses.path(self.item, variant, self.given.collected.id).partition("?")[2]
            case "once linked":
                return self.given.once[variant].partition("?")[2]
            case "linked to another":
                return addresses.path(self.item, variant, self.given.other.id).partition("?")[2]
            case "link taken off":
                return addresses.path(self.item, variant, self.given.link.id).partition("&")[2]
            case "with alice's" | "bob with alice's":
                return addresses.path(self.item, variant, self.house.alice.id).partition("?")[2]
            case "expired":
                return "e=1000000000&s=" + addresses.path(self.item, variant).partition("&s=")[2]
            case "forged":
                return addresses.path(self.item, variant).partition("&s=")[0] + "&s=" + "A" * 32
            case _:
                return ""


def _forms(original: bytes) -> Iterator[bytes]:
    """Pieces of a file, as they would stand in a body, in a data address and in a log."""
    for start in range(0, len(original), 320):
        piece = original[start : start + 24]
        yield piece
        yield base64.b64encode(piece)
        yield piece.hex().encode()


async def locked_quarry(house: House) -> tuple[Quarry, Media]:
    """The item, and an open one beside it."""
    other = await house.published(house.alice)
    own = {
        "negative_prompt": WORDS["negative_prompt"],
        "model": "deepest-model",
        "parameters": {"guidance": "cfg-7531"},
    }
    item = await house.published(
        house.alice, Visibility.PUBLIC, prompt=WORDS["prompt"], title=WORDS["title"], description=WORDS["description"],
        tags=("secretly",), seed=4_123_456_789, placeholder="PlaceholderOfIt=", blurred=80,
        facts=facts(sha256="fe" * 32, size_bytes=7_654_321, codec="codec-x264-z"), **own,
    )  # fmt: skip
    once = {variant: house.studio.addresses.path(item, variant) for variant in Variant}
    await house.store.people.set_email(house.alice.id, EMAIL, house.alice.token_version)
    given = await _given(house, item, other)
    payer, dave = person("erin"), person("dave")
    await house.store.people.add(payer, grant(payer, 100))
    await house.store.people.add(dave, None)
    cookie = await house.session(dave)
    await house.studio.accounts.suspend(house.carol, "dave")
    item = await house.change(item, unlock_price=5)
    unlock, _ = await house.store.unlocks.buy(wish(payer, item), 20, house.clock.now())
    await house.store.unlocks.refund(unlock.id, house.clock.now())
    found = await house.store.media.get(item.id)
    assert found is not None
    return Quarry(house, structs.replace(found), payer, cookie, once, given), other


async def _given(house: House, item: Media, other: Media) -> Given:
    link, secret = await house.studio.sharing.create(house.alice, item.id, Wish())
    elsewhere, _ = await house.studio.sharing.create(house.alice, other.id, Wish())
    once = {variant: house.studio.addresses.path(item, variant, link.id) for variant in Variant}
    owner, collections = Viewer(person_id=house.alice.id), house.studio.collections
    made = await collections.create(house.alice, "Hers", visibility=Visibility.PUBLIC)
    await collections.add(owner, made.id, [item.id, other.id])
    collected, opens = await house.studio.sharing.create(house.alice, made.id, Wish())
    return Given(link=link, secret=secret, once=once, other=elsewhere, collected=collected, secret_of_collection=opens)


class Leak(AssertionError):
    """Something withheld stood in an answer, or a sharp file was answered for."""


def look(quarry: Quarry, answer: httpx2.Response, what: str) -> None:
    """Search body, header and the address that the answer leads to. Raises Leak."""
    head = "\n".join(f"{name}: {value}" for name, value in answer.headers.items()).encode()
    if found := quarry.found_in(answer.content) + quarry.found_in(head):
        raise Leak(f"{what}: {answer.status_code} tells {found[:3]}")


async def hunt_files(quarry: Quarry, other: Media, hunter: str) -> int:
    """Every variant, in every way. Returns how often was asked."""
    asked = 0
    async with quarry.hunter(hunter) as client:
        for variant in Variant:
            query = quarry.query(hunter, variant, other)
            for more in ("", "&download=1"):
                address = f"/media/{quarry.item.id}/{variant}?{query}{more}"
                for way in WAYS:
                    for method in ("GET", "HEAD"):
                        answer = await client.request(method, address, headers=way)
                        asked += 1
                        what = f"{hunter} {method} {address} {way}"
                        look(quarry, answer, what)
                        if variant in SHARP and answer.status_code != 404:
                            raise Leak(f"{what}: {answer.status_code}")
    return asked


async def hunt_routes(quarry: Quarry, other: Media, hunter: str) -> int:
    """Every other route, with the item, its job, its unlocks and its collection in the path. Returns how often was asked."""
    routes = {
        (method, route.path_format)
        for route in quarry.house.app.routes
        for method in (getattr(route, "methods", None) or set()) - {"OPTIONS"}
        if route.path_format not in ("/media/{media_id}/{variant}", "/api/events")
        and "/sign-out" not in route.path_format  # or whoever hunts is nobody from there on
    }
    asked = 0
    async with quarry.hunter(hunter) as client:
        for method, path in sorted(routes):
            for address in _addresses(quarry, path):
                for way in WAYS:
                    for body in BODIES if method in ("POST", "PATCH", "DELETE", "PUT") else BODIES[:1]:
                        answer = await client.request(method, address, headers=way, **body)
                        asked += 1
                        look(quarry, answer, f"{hunter} {method} {address} {way} {body}")
    return asked


def _addresses(quarry: Quarry, path: str) -> Iterator[str]:
    item = quarry.item
    if path == "/oembed":
        for more in ("", "&maxwidth=100&maxheight=100", "&format=xml"):
            yield f"/oembed?url={BASE}/m/{item.id}{more}"
        return
    ids = {"media_id": item.id, "generation_id": item.generation_id, "unlock_id": "unl_nothing", "provider": "fal"}
    ids |= {"reference": item.generation_id, "digest": "x", "name": "studio.css"}
    given = quarry.given
    ids |= {"link_id": given.link.id, "collection_id": quarry.collection_id}
    ids |= {"key_id": "key_nothing", "invite_id": "inv_nothing", "session_id": "ses_nothing"}
    for id in (item.id, item.generation_id, quarry.collection_id) if "{id}" in path else ("",):
        for secret in (given.secret, given.secret_of_collection) if "{secret}" in path else ("",):
            yield path.format(**ids, id=id, secret=secret)


async def hunt_words(quarry: Quarry, hunter: str) -> int:
    """One guessed word at a time: with it, without it, its beginning, and as every field. Returns how often was asked."""
    asked, id = 0, quarry.item.id
    fields = [("model", "deepest-model"), ("provider", "local"), ("tag", "secretly")]
    async with quarry.hunter(hunter) as client:
        for path in ("/api/media", "/"):
            finds = [{"q": f"{word}{star}"} for word in GUESSES for star in ("", "*")]
            finds += [{"q": f"{word[:4]}*"} for word in GUESSES]
            finds += [{"q": f"{name}:{value}"} for name, value in fields]
            finds += [{name: value} for name, value in fields if path == "/api/media" and name != "provider"]
            misses = [{"q": f"-{word}"} for word in GUESSES] + [{"q": f"-{name}:{value}"} for name, value in fields]
            for params, told in [(p, True) for p in finds] + [(p, False) for p in misses]:
                answer = await client.get(path, params=params | {"sort": "oldest"})
                asked += 1
                if answer.status_code != 200 or (id in answer.text) is told:
                    raise Leak(f"{hunter} {path} {params}: the word is told by what is found ({answer.status_code})")
    return asked


async def hunt(quarry: Quarry, other: Media, hunter: str) -> int:
    """Everything. Returns how often was asked. Raises Leak."""
    asked = await hunt_files(quarry, other, hunter) + await hunt_words(quarry, hunter)
    return asked + await hunt_routes(quarry, other, hunter)
