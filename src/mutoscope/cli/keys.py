"""`mutoscope keys`: API keys of the administrator or of somebody else."""

from typing import Any

import click

from mutoscope.cli.client import Client
from mutoscope.cli.shell import Group, Shell
from mutoscope.domain.keys import DAYS_MAX, Scope

whose = click.option("--as", "person", metavar="NAME", help="Whose (default: the first administrator's).")


@click.group(cls=Group)
def keys() -> None:
    """API keys."""


@keys.command("create")
@click.argument("name")
@click.option(
    "--scope", "scopes", multiple=True, required=True, type=click.Choice([scope.value for scope in Scope]),
    help="What it may do; may be repeated.",
)  # fmt: skip
@click.option("--days", type=click.IntRange(1, DAYS_MAX), help="How long it lasts (default: until it is revoked).")
@whose
@click.pass_obj
def create(shell: Shell, name: str, scopes: tuple[str, ...], days: int | None, person: str | None) -> None:
    """Make a key, and print it this once."""

    async def go(client: Client) -> None:
        await client.become(person)
        made = await client.post("/api/keys", {"name": name, "scopes": scopes, "expires_in_days": days})
        shell.answer(made, made["secret"])

    shell.ask(go)


@keys.command("list")
@whose
@click.pass_obj
def list_keys(shell: Shell, person: str | None) -> None:
    """List them, without their secrets."""

    async def go(client: Client) -> None:
        await client.become(person)
        found = await client.get("/api/keys")
        shell.answer(found, "\n".join(map(describe, found["items"])) or "No keys.")

    shell.ask(go)


@keys.command("revoke")
@click.argument("key")
@whose
@click.pass_obj
def revoke(shell: Shell, key: str, person: str | None) -> None:
    """End a key at once, by its id."""

    async def go(client: Client) -> None:
        await client.become(person)
        await client.delete(f"/api/keys/{key}")
        shell.answer({"revoked": key}, f"{key} is revoked.")

    shell.ask(go)


def describe(key: Any) -> str:
    """One key in a line."""
    ends = "expired" if key["expired"] else f"ends {key['expires_at'][:10]}" if key["expires_at"] else "does not end"
    used = f"used {key['used_at'][:16].replace('T', ' ')} UTC" if key["used_at"] else "never used"
    return f"{key['id']} {key['name']}: {', '.join(key['scopes'])}; {ends}, {used}"
