"""What the operator's command line may ask of a running studio, over a socket that only the operator's account can open.

The socket carries the whole REST interface too: the command line gets a token for a person here and goes on as that
person, through the same rights as everyone.
"""

import asyncio
import secrets
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import msgspec
from litestar import Litestar, get, post
from litestar.datastructures import State
from litestar.params import FromQuery, JSONBody
from litestar.types import ASGIApp, Receive, Scope, Send

from mutoscope import __version__
from mutoscope.domain.catalogue import Price, Status
from mutoscope.domain.ids import Millis
from mutoscope.domain.people import Person, Role
from mutoscope.services import checkup, rehearsal
from mutoscope.services.backup import Backup
from mutoscope.services.checkup import Finding
from mutoscope.services.models import Listed
from mutoscope.services.moving import RecordedPage, recorded
from mutoscope.services.rehearsal import CleanedUp, Plan
from mutoscope.services.resets import reset_url
from mutoscope.services.studio import Studio
from mutoscope.store.port import Totals
from mutoscope.web.incoming import Incoming
from mutoscope.web.problems import exception_handlers, problem_of, refused_from
from mutoscope.web.streaming import ByteStream

PREFIX = "/operator"
SAY_EVERY_S = 0.5


class NewPerson(msgspec.Struct, frozen=True, kw_only=True):
    """An account to make; without a password one is made up and answered once."""

    name: str
    password: str | None = None
    role: Role = Role.USER


class PersonMade(msgspec.Struct, frozen=True, kw_only=True):
    """The account that was made."""

    id: str
    name: str
    role: Role
    password: str | None


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """One person, by name; without a name the first administrator."""

    name: str | None = None


class EmailWanted(msgspec.Struct, frozen=True, kw_only=True):
    """A person by name, and their new e-mail address: null removes it, left out it is only told."""

    name: str
    email: str | None | msgspec.UnsetType = msgspec.UNSET


class NewGrant(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens for a person; the same reference grants once."""

    name: str
    amount: int
    reference: str
    memo: str = ""


class ModelNamed(msgspec.Struct, frozen=True, kw_only=True):
    """One model, by its id."""

    model: str


class ModelLine(msgspec.Struct, frozen=True, kw_only=True):
    """A model for its operator: what people pay in tokens, and what a result costs the operator where that is known."""

    id: str
    name: str
    provider: str
    upstream: str
    status: Status
    why: str
    price: Price
    cost_usd: float


class CleanUp(msgspec.Struct, frozen=True, kw_only=True):
    """A throw-away person of the doctor, by name."""

    name: str


class NewBackup(msgspec.Struct, frozen=True, kw_only=True):
    """A folder on this machine to copy everything to, as a whole path."""

    target: str


def model_line(listed: Listed) -> ModelLine:
    """A model for its operator."""
    model = listed.model
    return ModelLine(
        id=model.id,
        name=model.name,
        provider=model.provider,
        upstream=model.upstream,
        status=listed.status,
        why=listed.why,
        price=model.price,
        cost_usd=model.cost_micro_usd / 1e6,
    )


async def _administrator(studio: Studio) -> Person:
    return await studio.accounts.administrator()


@get("/", sync_to_thread=False)
def about() -> dict[str, str]:
    """Which version is running."""
    return {"version": __version__}


@post("/people")
async def make_person(data: JSONBody[NewPerson], state: State) -> PersonMade:
    """Make an account."""
    studio: Studio = state.studio
    password = data.password or secrets.token_urlsafe(12)
    person = await studio.accounts.create(data.name, password, data.role)
    return PersonMade(id=person.id, name=person.name, role=person.role, password=None if data.password else password)


@post("/tokens", status_code=200)
async def issue_token(data: JSONBody[Named], state: State) -> dict[str, str]:
    """A token to go on as that person."""
    studio: Studio = state.studio
    person = await studio.accounts.named(data.name) if data.name else await _administrator(studio)
    token, _ = studio.accounts.token_for(person)
    return {"access_token": token, "name": person.name}


@post("/sign-in-links", status_code=200)
async def sign_in_link(data: JSONBody[Named], state: State) -> dict[str, str]:
    """A one-time address that signs a person in."""
    studio: Studio = state.studio
    person = await studio.accounts.named(data.name) if data.name else await _administrator(studio)
    return {"url": f"{studio.base_url}/sign-in?link={await studio.accounts.sign_in_secret(person)}"}


@post("/reset-links", status_code=200)
async def reset_link(data: JSONBody[Named], state: State) -> dict[str, str]:
    """A one-time address at which a person sets a new password."""
    studio: Studio = state.studio
    person = await studio.accounts.named(data.name) if data.name else await _administrator(studio)
    return {"name": person.name, "url": reset_url(studio.base_url, await studio.resets.link_as_operator(person))}


@post("/emails", status_code=200)
async def set_email(data: JSONBody[EmailWanted], state: State) -> dict[str, str | None]:
    """Set, remove or tell the e-mail address of a person."""
    studio: Studio = state.studio
    if data.email is msgspec.UNSET:
        person = await studio.accounts.named(data.name)
    else:
        person = await studio.emails.set_as_operator(data.name, data.email)
    return {"name": person.name, "email": person.email}


@post("/grants", status_code=200)
async def give_tokens(data: JSONBody[NewGrant], state: State) -> dict[str, int]:
    """Give tokens to a person."""
    studio: Studio = state.studio
    balance = await studio.tokens.grant_as_operator(data.name, data.amount, data.reference, data.memo)
    return {"available": balance.available, "held": balance.held}


@get("/checkup")
async def examine(state: State, only_ledger: FromQuery[bool] = False) -> list[Finding]:
    """Whether every part is well."""
    studio: Studio = state.studio
    return [await checkup.ledger(studio)] if only_ledger else await checkup.check_up(studio, studio.spool.root.parent)


@get("/rehearsal")
async def plan_rehearsal(state: State) -> Plan:
    """The cheapest orders that would try everything, and whether they cost the operator money."""
    studio: Studio = state.studio
    return await rehearsal.plan(studio)


@get("/models")
async def list_models(state: State) -> list[ModelLine]:
    """The whole catalogue, with what each model costs the operator."""
    studio: Studio = state.studio
    return [model_line(listed) for listed in await studio.generate.models()]


@post("/models/restore", status_code=200)
async def restore_model(data: JSONBody[ModelNamed], state: State) -> ModelLine:
    """Offer a model again that its provider said to be gone."""
    studio: Studio = state.studio
    return model_line(await studio.generate.restore_model(data.model))


@post("/clean-ups", status_code=200)
async def clean_up(data: JSONBody[CleanUp], state: State) -> CleanedUp:
    """Take away what a throw-away person made; what could not be taken away yet is named."""
    studio: Studio = state.studio
    return await rehearsal.clean_up(studio, data.name)


@get("/totals")
async def count(state: State) -> Totals:
    """Counts over everything."""
    studio: Studio = state.studio
    return await studio.stats.totals()


@get("/records")
async def list_records(state: State, cursor: FromQuery[str | None] = None) -> RecordedPage:
    """The objects that records name, a page at a time."""
    studio: Studio = state.studio
    return await recorded(studio.store, cursor)


@post("/backups", status_code=200)
async def back_up(data: JSONBody[NewBackup], state: State) -> ASGIApp:
    """Copy everything to a folder. The answer is lines of JSON: ``bytes`` and ``of`` while it goes on; at the end the
    ``manifest``, or the ``error`` as problem details.
    """
    studio: Studio = state.studio
    total = (await studio.stats.totals()).stored_bytes
    lines = _copying(state.backup, Path(data.target), studio.clock.now(), total)
    return ByteStream(200, {"Content-Type": "application/x-ndjson"}, lines)


async def _copying(backup: Backup, target: Path, now: Millis, total: int) -> AsyncGenerator[bytes, None]:
    there = 0

    def report(size_bytes: int) -> None:
        nonlocal there
        there = size_bytes

    copying = asyncio.create_task(backup.run(target, now, report))
    try:
        while not copying.done():
            yield _line({"bytes": there, "of": total})
            await asyncio.wait({copying}, timeout=SAY_EVERY_S)
        yield _line({"manifest": copying.result()})
    except Exception as e:  # the answer has begun: its last line says how it ended
        yield _line({"error": problem_of(refused_from(e))})
    finally:
        copying.cancel()
        await asyncio.wait({copying})


def _line(content: Any) -> bytes:
    return msgspec.json.encode(content) + b"\n"


def create_operator_app(studio: Studio, backup: Backup, rest: ASGIApp) -> ASGIApp:
    """The application behind the operator's socket: these routes, and the whole REST interface beside them."""
    own = Litestar(
        [
            about,
            make_person,
            issue_token,
            sign_in_link,
            reset_link,
            set_email,
            give_tokens,
            examine,
            plan_rehearsal,
            list_models,
            restore_model,
            clean_up,
            count,
            list_records,
            back_up,
        ],
        path=PREFIX,
        request_class=Incoming,
        state=State({"studio": studio, "backup": backup}),
        exception_handlers=exception_handlers,
        openapi_config=None,
        logging_config=None,
    )

    async def dispatch(scope: Scope, receive: Receive, send: Send) -> None:
        mine = scope["type"] == "http" and scope["path"].startswith(PREFIX)
        await (own if mine else rest)(scope, receive, send)

    return dispatch
