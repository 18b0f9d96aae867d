"""Tokens: balance, statement, and what an administrator gives."""

from typing import Annotated, Literal

import msgspec
from litestar import get, post
from litestar.handlers import BaseRouteHandler
from litestar.params import HeaderParameter, JSONBody, QueryParameter

from mutoscope.domain import ledger
from mutoscope.domain.errors import Invalid
from mutoscope.domain.ledger import Entry, EntryKind
from mutoscope.services.generate import KEY_CHARS
from mutoscope.services.views import moment
from mutoscope.web.api.auth import BalanceView
from mutoscope.web.security import Asked, person_of, studio_of

Cursor = Annotated[str | None, QueryParameter(max_length=500, description="`next` of the page before")]
Limit = Annotated[int, QueryParameter(ge=1, le=100, description="how many, at most")]
IdempotencyKey = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        description="the same key with the same body does the thing once, however often it is sent",
    ),
]


class EntryView(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a statement. ``change`` is what it did to the available tokens, which were ``available`` after it."""

    kind: EntryKind
    change: int
    amount: int
    available: int
    memo: str
    reference: str
    at: str | None


class EntryPage(msgspec.Struct, frozen=True, kw_only=True):
    """Lines of a statement, newest first; ``next`` is the cursor that continues after them, null at the end."""

    items: list[EntryView]
    next: str | None


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens for somebody, by name."""

    name: str
    amount: int
    memo: str = ""


def entry_view(entry: Entry, available: int, person_id: str) -> EntryView:
    """A line of that person's statement."""
    own = ledger.available(person_id)
    sign: Literal[-1, 0, 1] = 1 if entry.credit == own else -1 if entry.debit == own else 0
    return EntryView(
        kind=entry.kind,
        change=sign * entry.amount,
        amount=entry.amount,
        available=available,
        memo=entry.memo,
        reference=entry.reference,
        at=moment(entry.at),
    )


@get("/tokens")
async def get_balance(request: Asked) -> BalanceView:
    """What one has, in whole tokens."""
    found = await studio_of(request).tokens.balance(person_of(request))
    return BalanceView(available=found.available, held=found.held)


@get("/tokens/entries")
async def list_entries(request: Asked, cursor: Cursor = None, limit: Limit = 50) -> EntryPage:
    """One's own statement."""
    person = person_of(request)
    page = await studio_of(request).tokens.statement(person, cursor, limit)
    return EntryPage(items=[entry_view(entry, left, person.id) for entry, left in page.items], next=page.next)


@post("/tokens/grants", status_code=200)
async def grant_tokens(request: Asked, data: JSONBody[Grant], key: IdempotencyKey = None) -> BalanceView:
    """Give tokens to somebody (administrators). The Idempotency-Key is the reference: it grants once."""
    if not key or len(key) > KEY_CHARS or not key.isprintable():
        raise Invalid(
            "A grant needs an Idempotency-Key.", {"Idempotency-Key": f"1 to {KEY_CHARS} printable characters"}
        )
    if len(data.memo) > KEY_CHARS:
        raise Invalid("The memo is too long.", {"memo": f"at most {KEY_CHARS} characters"})
    found = await studio_of(request).tokens.grant(person_of(request), data.name, data.amount, key, data.memo)
    return BalanceView(available=found.available, held=found.held)


routes: list[BaseRouteHandler] = [get_balance, list_entries, grant_tokens]
