"""A whole studio with its web front: real store, folder and darkroom; people are signed in without typing passwords."""

import asyncio
import hashlib
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import uvicorn
from litestar import Litestar

from cast import HandClock, alice, bob, carol, generation, grant, ids, media
from mutoscope.blobs.folder import FolderBlobs
from mutoscope.darkroom.port import Darkroom, MediaLimits
from mutoscope.domain.generation import Generation, State
from mutoscope.domain.ids import DAY, HOUR, MINUTE
from mutoscope.domain.ledger import Balance
from mutoscope.domain.media import Media, StoredFile, Variant, Visibility, key_for
from mutoscope.domain.people import Person, Session
from mutoscope.mail.port import Letter, Mailer
from mutoscope.providers.catalogue import load_catalogue
from mutoscope.providers.port import Provider
from mutoscope.services.accounts import Accounts, hash_secret
from mutoscope.services.addresses import Addresses
from mutoscope.services.categories import load_categories
from mutoscope.services.collections import Collections
from mutoscope.services.counting import Counting
from mutoscope.services.emails import Emails
from mutoscope.services.gallery import Gallery
from mutoscope.services.generate import Generate
from mutoscope.services.hooks import Hooks
from mutoscope.services.invites import Invites
from mutoscope.services.keys import Keys
from mutoscope.services.liking import Liking
from mutoscope.services.limits import Limits
from mutoscope.services.links import Links
from mutoscope.services.mail import Mail
from mutoscope.services.outbox import Outbox
from mutoscope.services.outcomes import Outcomes
from mutoscope.services.policy import Policy
from mutoscope.services.proofs import Proofs
from mutoscope.services.resets import Resets
from mutoscope.services.sessions import Sessions
from mutoscope.services.sharing import Sharing
from mutoscope.services.studio import Studio
from mutoscope.services.tokens import Tokens
from mutoscope.services.unlocking import Unlocking
from mutoscope.spool import Spool
from mutoscope.store.port import Limits as JobLimits
from mutoscope.store.port import Store
from mutoscope.store.sqlite import open_sqlite
from mutoscope.web.app import create_app
from stubs.letterbox import Letterbox

BASE = "http://studio.example"
OUR_PAGE = {"Origin": BASE, "Sec-Fetch-Site": "same-origin"}
TOKEN_KEY = "a key that only tests know, and long enough for every algorithm that they try"
SIGNING_KEY = b"a signing key of the tests"
SIGNING = [SIGNING_KEY]
GRANTED = 1_000
WINDOW_MS = HOUR
PASSWORD = "correct horse battery"

POLICY = Policy(
    default_visibility=Visibility.PUBLIC,
    gallery_open=True,
    registration_open=True,
    invites_open=True,
    sign_up_grant=100,
    address_window_ms=WINDOW_MS,
    upload_limits=MediaLimits(size_bytes=2_000_000, pixels=4_000_000, duration_s=60.0),
    unknown_release_ms=72 * HOUR,
)

MIME = {
    Variant.POSTER: "image/jpeg",
    Variant.PREVIEW: "video/mp4",
    Variant.STORYBOARD: "image/jpeg",
    Variant.STORYBOARD_VTT: "text/vtt",
    Variant.BLURRED_PREVIEW: "video/mp4",
}
"""Of the variants that are not as the master is; thumbnails are WebP."""

SIZES = {
    Variant.THUMB_SMALL: (320, 180),
    Variant.THUMB_MEDIUM: (640, 360),
    Variant.BLURRED: (640, 360),
    Variant.BLURRED_SMALL: (320, 180),
    Variant.STORYBOARD_VTT: (0, 0),
}
"""Of the variants that are not as large as the film."""


class House:
    """One studio of one test."""

    def __init__(
        self, folder: Path, store: Store, darkroom: Darkroom, clock: HandClock, policy: Policy, mailer: Mailer | None
    ) -> None:
        self.folder, self.store, self.clock = folder, store, clock
        self.blobs, self.spool = FolderBlobs(folder / "media"), Spool(folder / "spool")
        self.providers: dict[str, Provider] = {}
        self.woken = 0
        self.letterbox = Letterbox()
        self.mailer = mailer or self.letterbox
        self.outbox = Outbox(self.mailer, pauses_s=(0.01, 0.01))
        self.alice, self.bob, self.carol = alice(), bob(), carol()
        self.catalogue = load_catalogue(None, ["local"])
        self.studio = self._studio(darkroom, policy)
        self.app: Litestar = create_app(self.studio, heartbeat_s=0.2)

    def _studio(self, darkroom: Darkroom, policy: Policy) -> Studio:
        store, clock = self.store, self.clock
        categories = load_categories(None)
        addresses = Addresses(SIGNING, clock, WINDOW_MS)
        accounts = Accounts(store, ids, clock, [TOKEN_KEY], policy)
        gallery = Gallery(store, clock, policy)
        limits, resets = Limits(store.buckets, clock, policy), Resets(store, clock, accounts)
        mail = Mail(store, clock, limits, resets, self.mailer, self.outbox, BASE)
        collections = Collections(store, gallery, ids, clock, policy)
        return Studio(
            accounts=accounts,
            resets=resets,
            emails=Emails(store, accounts, limits, mail),
            mail=mail,
            sessions=Sessions(store, clock),
            keys=Keys(store, ids, clock),
            invites=Invites(store, ids, clock),
            limits=limits,
            generate=Generate(
                store, self.blobs, darkroom, self.catalogue, categories, ids, clock, policy, lambda: None, lambda: 7
            ),
            outcomes=Outcomes(store, clock, lambda: None),
            hooks=Hooks(store, self.providers, clock, self._wake),
            gallery=gallery,
            collections=collections,
            sharing=Sharing(store, ids, clock, gallery, collections, accounts, limits, Proofs(SIGNING, clock)),
            unlocking=Unlocking(store, ids, clock, policy),
            counting=Counting(store, clock, SIGNING_KEY),
            liking=Liking(store, gallery, clock),
            tokens=Tokens(store, clock),
            addresses=addresses,
            links=Links(addresses, self.blobs, policy, BASE),
            categories=categories,
            events=store.events,
            stats=store.stats,
            store=store,
            blobs=self.blobs,
            darkroom=darkroom,
            spool=self.spool,
            providers=self.providers,
            clock=clock,
            policy=policy,
            base_url=BASE,
        )

    def _wake(self) -> None:
        self.woken += 1

    async def move_in(self) -> None:
        """The cast, with tokens."""
        for person in (self.carol, self.alice, self.bob):
            await self.store.people.add(person, grant(person, GRANTED))

    async def session(self, person: Person, secret: str | None = None) -> str:
        """A cookie header for a fresh session of that person."""
        secret, now = secret or ids.new("ses"), self.clock.now()
        session = Session(
            secret_hash=hash_secret(secret), person_id=person.id, created_at=now, expires_at=now + 30 * DAY
        )
        await self.store.people.open_session(session)
        return f"mutoscope_session={secret}"

    def bearer(self, person: Person) -> dict[str, str]:
        """A header with a fresh token of that person."""
        return {"Authorization": f"Bearer {self.studio.accounts.token_for(person)[0]}"}

    @asynccontextmanager
    async def client(self, headers: Mapping[str, str] | None = None) -> AsyncIterator[httpx2.AsyncClient]:
        """A client without a connection between; answers come whole."""
        transport = httpx2.ASGITransport(self.app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url=BASE, headers=dict(headers or {})) as client:
            yield client

    @asynccontextmanager
    async def as_(self, person: Person | None) -> AsyncIterator[httpx2.AsyncClient]:
        """A client of that person's with a token, or a stranger's."""
        async with self.client(self.bearer(person) if person else None) as client:
            yield client

    async def balance(self, person: Person) -> Balance:
        """What the person has."""
        return await self.store.ledger.balance(person.id)

    async def mailed(self) -> list[Letter]:
        """What was mailed since it was last looked, all that was under way too."""
        await self.outbox.settled()
        letters, self.letterbox.letters = self.letterbox.letters, []
        return letters

    async def keys(self) -> list[str]:
        """Everything in the blob store."""
        return [blob.key async for blob in self.blobs.list("")]

    async def published(self, owner: Person, visibility: Visibility = Visibility.PUBLIC, **fields: Any) -> Media:
        """A film of that owner, with a file for each variant; content is `content(item.id, variant)`."""
        order = generation(
            owner, price_each=1, visibility=visibility, prompt=fields.pop("prompt", "a lighthouse in fog")
        )
        made = {"visibility": visibility, "created_at": self.clock.now(), "updated_at": self.clock.now()}
        item = media(order, **(made | fields))
        item = msgspec.structs.replace(item, files=await self._files(item))
        return await self.publish(order, item)

    async def publish(self, order: Generation, item: Media) -> Media:
        """Take a job along its way until the item is in the gallery."""
        store, now, lease = self.store.generations, self.clock.now(), self.clock.now() + MINUTE
        await store.accept(order, None, "")
        limits = JobLimits(per_provider={order.pinned.provider: 99}, per_person=99)
        claimed = await store.claim(frozenset({State.QUEUED}), "test", now, lease, limits)
        assert claimed is not None
        assert claimed.id == order.id
        await store.begin(order.id, claimed.fence, now, lease)
        await store.advance(order.id, claimed.fence, State.SUBMITTING, State.FETCHING, now)
        for from_, to in ((State.FETCHING, State.DEVELOPING), (State.DEVELOPING, None)):
            claimed = await store.claim(frozenset({from_}), "test", now, lease, limits)
            assert claimed is not None
            if to is not None:
                await store.advance(order.id, claimed.fence, from_, to, now)
            else:
                await store.publish(order.id, claimed.fence, now, [item], order.hold)
        found = await self.store.media.get(item.id)
        assert found is not None
        return found

    async def _files(self, item: Media) -> dict[Variant, StoredFile]:
        files: dict[Variant, StoredFile] = {}
        for variant in Variant:
            mime = item.facts.mime_type if variant is Variant.MASTER else MIME.get(variant, "image/webp")
            key, path = key_for(item.facts.kind, item.id, variant, mime), self.folder / "original"
            path.write_bytes(content(item.id, variant))
            await self.blobs.put(key, path, mime)
            width, height = SIZES.get(variant, (item.facts.width, item.facts.height))
            files[variant] = StoredFile(
                key=key, mime_type=mime, size_bytes=len(content(item.id, variant)), width=width, height=height
            )
        return files

    async def change(self, item: Media, **fields: Any) -> Media:
        """Change a record past all rules, as an administrator's tools do."""
        return await self.store.media.change(msgspec.structs.replace(item, **fields), item.version, self.clock.now())


def content(media_id: str, variant: Variant) -> bytes:
    """The bytes of a file of a test's item: 3,200 of them, different for every file."""
    return b"".join(hashlib.sha256(f"{media_id}/{variant}/{n}".encode()).digest() for n in range(100))


@asynccontextmanager
async def open_house(
    folder: Path, darkroom: Darkroom, policy: Policy = POLICY, mailer: Mailer | None = None
) -> AsyncIterator[House]:
    """A studio, which mails to a letterbox unless another way is given; when it closes, its ledger has to add up and its spool to be empty."""
    clock = HandClock()
    store = await open_sqlite(folder / "studio.sqlite", clock)
    house = House(folder, store, darkroom, clock, policy, mailer)
    try:
        await house.move_in()
        yield house
        assert await store.ledger.proof() == []
        assert house.spool.names() == []
    finally:
        await house.studio.counting.close()
        await house.outbox.close()
        await store.close()


@asynccontextmanager
async def served(app: Litestar) -> AsyncIterator[int]:
    """The application behind a real server on a free port of this machine; gives the port."""
    sock = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(app, lifespan="off", ws="none", log_level="warning", timeout_graceful_shutdown=2)
    )
    app.state.streams.ending.clear()
    task = asyncio.create_task(server.serve([sock]))
    try:
        while not server.started:  # noqa: ASYNC110  # the server has no event for it
            await asyncio.sleep(0.005)
        yield sock.getsockname()[1]
    finally:
        app.state.streams.close()
        server.should_exit = True
        await task
        sock.close()
