"""The only module that knows which parts are real: it reads the settings and puts the studio together."""

import os
import secrets as dice
import socket
import ssl
from collections.abc import Callable, Generator, Mapping
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from litestar import Litestar
from msgspec import structs

from mutoscope import __version__
from mutoscope.blobs.folder import FolderBlobs
from mutoscope.blobs.port import Blobs, BlobsUnavailable
from mutoscope.blobs.s3 import S3Place, open_s3
from mutoscope.darkroom.jailed import JailedDarkroom
from mutoscope.darkroom.port import MediaLimits
from mutoscope.disk import write_file
from mutoscope.domain.catalogue import SEED_MAX
from mutoscope.domain.errors import Invalid
from mutoscope.domain.generation import STAGE_DEADLINES_MS, State
from mutoscope.domain.ids import HOUR, SECOND, Clock, Ids, SystemClock
from mutoscope.mail.port import Mailer
from mutoscope.mail.smtp import SmtpMailer, SmtpPlace
from mutoscope.mail_settings import own_name_of, sender_of
from mutoscope.provider_settings import jobs_by_provider
from mutoscope.providers.catalogue import Catalogue, load_catalogue
from mutoscope.providers.local import LocalProvider
from mutoscope.providers.port import Provider
from mutoscope.providers.registry import open_providers, switches
from mutoscope.providers.setup import Tools
from mutoscope.secrets import Secrets, load_secrets
from mutoscope.services.accounts import Accounts
from mutoscope.services.addresses import Addresses
from mutoscope.services.backup import Backup, Layout, Verified, verify_backup
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
from mutoscope.services.restoring import Restored, restore_backup
from mutoscope.services.sessions import Sessions
from mutoscope.services.sharing import Sharing
from mutoscope.services.studio import Studio
from mutoscope.services.tokens import Tokens
from mutoscope.services.unlocking import Unlocking
from mutoscope.settings import Settings
from mutoscope.spool import Spool
from mutoscope.store.mongo import load_mongo, open_mongo
from mutoscope.store.port import Store, StoreUnavailable
from mutoscope.store.sqlite import open_sqlite
from mutoscope.store.sqlite.portable import SqliteCopies, read_copy
from mutoscope.web.app import create_app
from mutoscope.worker.context import Numbers, Worker
from mutoscope.worker.loop import Loop

DATABASE, MEDIA, SPOOL, LOCAL, PLACE = "mutoscope.db", "media", "spool", "local", "place"
"""What is where in the data folder."""
LAYOUT = Layout(
    database=DATABASE, media=MEDIA, files=("secrets/*", "catalogue.toml", "categories.toml", "workflows/*.json")
)


class CannotOpen(Exception):
    """The studio cannot be opened with these settings; the words say what to do."""


@dataclass(frozen=True, kw_only=True)
class Running:
    """A studio that is open. ``worker`` is started by whoever wants jobs to go on here."""

    studio: Studio
    app: Litestar
    worker: Loop
    backup: Backup
    parts: AsyncExitStack

    async def close(self) -> None:
        """Stop the work and let go of everything, in the right order."""
        await self.worker.stop()
        await self.parts.aclose()


async def open_studio(
    settings: Settings,
    base_url: str = "http://localhost",
    providers: Mapping[str, Provider] | None = None,
    numbers: Numbers | None = None,
) -> Running:
    """Put the parts together. Without ``providers``, those that the settings turn on. Raises CannotOpen."""
    data = _data_folder(settings)
    with _in_words():
        return await _put_together(settings, data, base_url, providers, numbers or Numbers())


async def _put_together(
    settings: Settings, data: Path, base_url: str, providers: Mapping[str, Provider] | None, numbers: Numbers
) -> Running:
    async with AsyncExitStack() as parts:
        clock = SystemClock()
        store = await _store(settings, data, clock)
        parts.push_async_callback(store.close)
        darkroom = JailedDarkroom()
        parts.push_async_callback(darkroom.close)
        chosen = dict(providers) if providers is not None else _providers(settings, data, darkroom, clock)
        for provider in chosen.values():
            parts.push_async_callback(provider.close)
        elsewhere = [name for name, provider in chosen.items() if provider.elsewhere]
        catalogue = load_catalogue(_if_there(data / "catalogue.toml"), chosen, elsewhere, switches())
        worker = Worker(
            name=f"{socket.gethostname()}:{os.getpid()}",
            place=_place(data) if settings.mongodb_uri is not None else "",
            store=store,
            blobs=_blobs(settings, data, clock),
            darkroom=darkroom,
            spool=Spool(data / SPOOL),
            providers=chosen,
            clock=clock,
            media_limits=_limits(settings, settings.max_result_bytes),
            numbers=_numbers(settings, numbers),
            deadlines={**STAGE_DEADLINES_MS, State.OUTCOME_UNKNOWN: settings.unknown_release_hours * HOUR},
            model_name=lambda id: catalogue.get(id).name,
            leftovers=(Spool(data / LOCAL),),
            # A provider reaches us at no other address than one that people reach us at over https.
            webhook_base=settings.base_url if (settings.base_url or "").startswith("https://") else None,
        )
        loop = Loop(worker)
        studio = _studio(settings, base_url, worker, loop, catalogue, load_secrets(settings, data))
        parts.push_async_callback(studio.counting.close)
        if studio.mail is not None:
            parts.push_async_callback(studio.mail.close)
        token = settings.metrics_token
        place = s3_place(settings) if studio.policy.from_bucket else None
        app = create_app(
            studio,
            token.get_secret_value() if token else None,
            media_address=place.address if place else studio.policy.cdn_url,
        )
        backup = Backup(store, worker.blobs, data, LAYOUT, __version__)
        return Running(studio=studio, app=app, worker=loop, backup=backup, parts=parts.pop_all())


async def restore(settings: Settings, folder: Path, report: Callable[[int], None]) -> Restored:
    """Load a backup into the shared database and the place of media that the settings name. Raises CannotOpen, Invalid,
    Unavailable, StoreUnavailable, BlobsUnavailable.
    """
    if settings.mongodb_uri is None:
        raise CannotOpen(
            "With the embedded database there is nothing to load: copy the folder, and start the studio on the copy"
            " with MUTOSCOPE_DATA_DIR. To load it into MongoDB, set MONGODB_URI."
        )
    data, uri, clock = _data_folder(settings), settings.mongodb_uri.get_secret_value(), SystemClock()
    return await restore_backup(
        folder, LAYOUT, data, _blobs(settings, data, clock),
        lambda copy, finish: load_mongo(uri, clock, read_copy(copy), finish), report,
    )  # fmt: skip


async def verify(folder: Path) -> Verified:
    """Look whether a backup is whole. Raises Invalid, Unavailable, StoreUnavailable, BlobsUnavailable."""
    return await verify_backup(folder, lambda path: open_sqlite(path, SystemClock()), FolderBlobs, LAYOUT)


def _studio(
    settings: Settings, base_url: str, worker: Worker, loop: Loop, catalogue: Catalogue, keys: Secrets
) -> Studio:
    policy = _policy(settings, costs_money=any(not provider.repeats_free for provider in worker.providers.values()))
    store, clock, ids = worker.store, worker.clock, Ids(worker.clock)
    categories = load_categories(_if_there(settings.data_dir / "categories.toml"))
    addresses = Addresses(keys.signing, clock, policy.address_window_ms)
    accounts = Accounts(store, ids, clock, keys.jwt, policy)
    gallery = Gallery(store, clock, policy)
    limits, resets = Limits(store.buckets, clock, policy), Resets(store, clock, accounts)
    mailer = _mailer(settings, base_url)
    mail = Mail(store, clock, limits, resets, mailer, Outbox(mailer), base_url) if mailer is not None else None
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
            store, worker.blobs, worker.darkroom, catalogue, categories, ids, clock, policy, loop.wake,
            lambda: dice.randbelow(SEED_MAX + 1),
        ),
        outcomes=Outcomes(store, clock, loop.wake),
        hooks=Hooks(store, worker.providers, clock, loop.wake),
        gallery=gallery,
        collections=collections,
        sharing=Sharing(store, ids, clock, gallery, collections, accounts, limits, Proofs(keys.signing, clock)),
        unlocking=Unlocking(store, ids, clock, policy),
        counting=Counting(store, clock, keys.signing[0]),
        liking=Liking(store, gallery, clock),
        tokens=Tokens(store, clock),
        addresses=addresses,
        links=Links(addresses, worker.blobs, policy, base_url),
        categories=categories,
        events=store.events,
        stats=store.stats,
        store=store,
        blobs=worker.blobs,
        darkroom=worker.darkroom,
        spool=worker.spool,
        providers=worker.providers,
        clock=clock,
        policy=policy,
        base_url=base_url,
    )  # fmt: skip


def _mailer(settings: Settings, base_url: str) -> Mailer | None:
    if settings.smtp_host is None or settings.smtp_from is None:
        return None
    password = settings.smtp_password
    place = SmtpPlace(
        host=settings.smtp_host,
        port=settings.smtp_port_or_usual,
        security=settings.smtp_security,
        user=settings.smtp_user,
        password=password.get_secret_value() if password else None,
        sender=sender_of(settings.smtp_from),
        own_name=own_name_of(base_url),
    )
    return SmtpMailer(place, ssl.create_default_context())


def _providers(settings: Settings, data: Path, darkroom: JailedDarkroom, clock: Clock) -> dict[str, Provider]:
    tools = Tools(darkroom=darkroom, clock=clock, jobs=jobs_by_provider(settings), data=data)
    return {"local": LocalProvider(data / LOCAL, darkroom), **open_providers(settings, tools)}


async def _store(settings: Settings, data: Path, clock: Clock) -> Store:
    if settings.mongodb_uri is None:
        return await open_sqlite(data / DATABASE, clock)
    return await open_mongo(settings.mongodb_uri.get_secret_value(), clock, SqliteCopies())


def _place(data: Path) -> str:
    """The name of this data folder among those of the machines that share a database: made once, kept in it."""
    path = data / PLACE
    if not path.exists():
        with suppress(FileExistsError):  # another process was first: its name counts
            write_file(path, f"{dice.token_hex(8)}\n".encode(), replace=False)
    return path.read_text().strip()


def _blobs(settings: Settings, data: Path, clock: Clock) -> Blobs:
    place = s3_place(settings)
    return FolderBlobs(data / MEDIA) if place is None else open_s3(place, clock)


def open_places(settings: Settings) -> Mapping[str, Blobs | None]:
    """Both places that a library can be in, to move it; the bucket is None where none is named. Raises CannotOpen."""
    place = s3_place(settings)
    return {
        "folder": FolderBlobs(_data_folder(settings) / MEDIA),
        "bucket": None if place is None else open_s3(place, SystemClock()),
    }


def s3_place(settings: Settings) -> S3Place | None:
    """The bucket that the settings name; None where media are kept in the data folder."""
    if settings.aws_s3_bucket is None:
        return None
    secret, token = settings.aws_secret_access_key, settings.aws_session_token
    return S3Place(
        bucket=settings.aws_s3_bucket,
        region=settings.aws_region,
        access_key_id=settings.aws_access_key_id,
        secret_access_key=secret.get_secret_value() if secret else None,
        session_token=token.get_secret_value() if token else None,
        endpoint=settings.aws_endpoint_url,
    )


def _numbers(settings: Settings, numbers: Numbers) -> Numbers:
    busy = {State.DEVELOPING.value: settings.workers}
    return structs.replace(numbers, jobs_per_person=settings.per_person_jobs, at_once={**numbers.at_once, **busy})


def _policy(settings: Settings, costs_money: bool) -> Policy:
    return Policy(
        default_visibility=settings.default_visibility,
        gallery_open=settings.gallery_open,
        registration_open=settings.registration == "open",
        invites_open=settings.registration in ("open", "invite"),
        sign_up_grant=settings.grant_at_sign_up(costs_money),
        house_share_percent=settings.house_share_percent,
        address_window_ms=settings.address_seconds * SECOND,
        upload_limits=_limits(settings, settings.max_upload_bytes),
        from_bucket=settings.delivery in (None, "bucket") and settings.aws_s3_bucket is not None,
        cdn_url=settings.cdn_url if settings.delivery == "cdn" else None,
        orders_per_minute=settings.orders_per_minute,
        registrations_per_hour=settings.registrations_per_hour,
        behind_proxy=bool(settings.trusted_proxies),
        unknown_release_ms=settings.unknown_release_hours * HOUR,
    )


def _limits(settings: Settings, size_bytes: int) -> MediaLimits:
    return MediaLimits(size_bytes=size_bytes, pixels=settings.max_pixels, duration_s=settings.max_duration_s)


def _data_folder(settings: Settings) -> Path:
    try:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as e:
        raise CannotOpen(
            f"The data folder {settings.data_dir} cannot be made: {e.strerror}. Set MUTOSCOPE_DATA_DIR to one that can."
        ) from e
    if not os.access(settings.data_dir, os.R_OK | os.W_OK | os.X_OK, effective_ids=True):
        raise CannotOpen(
            f"The data folder {settings.data_dir} cannot be written by this account: mend its owner and permissions,"
            " or set MUTOSCOPE_DATA_DIR to another folder."
        )
    return settings.data_dir


@contextmanager
def _in_words() -> Generator[None]:
    """Whatever keeps a part from being opened, as CannotOpen."""
    try:
        yield
    except (StoreUnavailable, BlobsUnavailable, Invalid, OSError) as e:
        raise CannotOpen(str(e)) from e


def _if_there(path: Path) -> Path | None:
    return path if path.exists() else None
