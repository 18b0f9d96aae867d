"""`mutoscope invites`: links with which people make their account."""

from typing import Any

import click

from mutoscope.cli.client import Client
from mutoscope.cli.shell import Group, Shell
from mutoscope.domain.invites import DAYS_MAX, TOKENS_MAX, USES_MAX


@click.group(cls=Group)
def invites() -> None:
    """Invitations."""


@invites.command("create")
@click.option("--uses", type=click.IntRange(1, USES_MAX), default=1, show_default=True, help="For how many accounts.")
@click.option("--days", type=click.IntRange(1, DAYS_MAX), default=7, show_default=True, help="How long it lasts.")
@click.option("--tokens", type=click.IntRange(0, TOKENS_MAX), default=0, help="What each gets beside the usual.")
@click.option("--note", default="", help="Who it is for.")
@click.pass_obj
def create(shell: Shell, uses: int, days: int, tokens: int, note: str) -> None:
    """Make an invitation, and print its link this once."""

    async def go(client: Client) -> None:
        await client.become(None)
        wish = {"uses": uses, "expires_in_days": days, "tokens": tokens, "note": note}
        made = await client.post("/api/admin/invites", wish)
        shell.answer(made, made["url"])

    shell.ask(go)


@invites.command("list")
@click.pass_obj
def list_invites(shell: Shell) -> None:
    """List them, without their links."""

    async def go(client: Client) -> None:
        await client.become(None)
        found = await client.get("/api/admin/invites")
        shell.answer(found, "\n".join(map(describe, found["items"])) or "No invitations.")

    shell.ask(go)


@invites.command("revoke")
@click.argument("invite")
@click.pass_obj
def revoke(shell: Shell, invite: str) -> None:
    """Take one back, by its id; accounts that were made with it stay."""

    async def go(client: Client) -> None:
        await client.become(None)
        await client.delete(f"/api/admin/invites/{invite}")
        shell.answer({"revoked": invite}, f"{invite} is revoked.")

    shell.ask(go)


def describe(invite: Any) -> str:
    """One invitation in a line."""
    ends = f"ends {invite['expires_at'][:10]}" if invite["good"] else "of no use any more"
    line = f"{invite['id']} {invite['used']} of {invite['uses']} used, {ends}, {invite['tokens']} tokens each"
    return line + (f" ({invite['note']})" if invite["note"] else "")
