"""Invitations, for administrators."""

from typing import Annotated

import msgspec
from litestar import delete, get, post
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, JSONBody

from mutoscope.domain.ids import Millis
from mutoscope.domain.invites import DAYS_MAX, NOTE_CHARS, TOKENS_MAX, USES_MAX, Invite, is_good
from mutoscope.services.studio import Studio
from mutoscope.services.views import moment
from mutoscope.web.security import Asked, person_of, studio_of


class NewInvite(msgspec.Struct, frozen=True, kw_only=True):
    """An invitation to make: for how many accounts, for how long, and the tokens that each gets beside the usual."""

    uses: Annotated[int, msgspec.Meta(ge=1, le=USES_MAX)] = 1
    expires_in_days: Annotated[int, msgspec.Meta(ge=1, le=DAYS_MAX)] = 7
    tokens: Annotated[int, msgspec.Meta(ge=0, le=TOKENS_MAX)] = 0
    note: Annotated[str, msgspec.Meta(max_length=NOTE_CHARS)] = ""


class InviteView(msgspec.Struct, frozen=True, kw_only=True):
    """An invitation, without its link. ``good``: one more account can be made with it."""

    id: str
    uses: int
    used: int
    tokens: int
    note: str
    created_at: str | None
    expires_at: str | None
    good: bool


class InviteMade(msgspec.Struct, frozen=True, kw_only=True):
    """A new invitation. ``url`` is its link, which is told this once."""

    invite: InviteView
    url: str


class InviteList(msgspec.Struct, frozen=True, kw_only=True):
    """All invitations, newest first."""

    items: list[InviteView]


def invite_view(invite: Invite, now: Millis) -> InviteView:
    """An invitation, as administrators see it."""
    return InviteView(
        id=invite.id,
        uses=invite.uses,
        used=invite.used,
        tokens=invite.tokens,
        note=invite.note,
        created_at=moment(invite.created_at),
        expires_at=moment(invite.expires_at),
        good=is_good(invite, now),
    )


def invite_url(studio: Studio, secret: str) -> str:
    """The link of an invitation."""
    return f"{studio.base_url}/register?invite={secret}"


@get("/admin/invites")
async def list_invites(request: Asked) -> InviteList:
    """All invitations; those that ended go after a month (administrators)."""
    studio = studio_of(request)
    found = await studio.invites.list(person_of(request))
    return InviteList(items=[invite_view(invite, studio.clock.now()) for invite in found])


@post("/admin/invites")
async def create_invite(request: Asked, data: JSONBody[NewInvite]) -> InviteMade:
    """Make an invitation (administrators). Its link is in this answer and nowhere else."""
    studio = studio_of(request)
    invite, secret = await studio.invites.create(
        person_of(request), data.uses, data.expires_in_days, data.tokens, data.note
    )
    return InviteMade(invite=invite_view(invite, studio.clock.now()), url=invite_url(studio, secret))


@delete("/admin/invites/{invite_id:str}", status_code=204)
async def revoke_invite(request: Asked, invite_id: FromPath[str]) -> None:
    """Take an invitation back (administrators). Accounts that were made with it stay."""
    await studio_of(request).invites.revoke(person_of(request), invite_id)


routes: list[BaseRouteHandler] = [list_invites, create_invite, revoke_invite]
