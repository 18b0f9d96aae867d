"""`mutoscope models`: what can be ordered here, at which price and cost, and why the rest cannot."""

from typing import Any

import click

from mutoscope.cli.client import Client
from mutoscope.cli.shell import Group, Shell


@click.group(cls=Group)
def models() -> None:
    """Models."""


@models.command("list")
@click.pass_obj
def models_list(shell: Shell) -> None:
    """List them: those that can be ordered first, the others with the reason."""

    async def go(client: Client) -> None:
        found = await client.get("/operator/models")
        shell.answer(found, "\n".join(map(describe, found)))

    shell.ask(go)


@models.command("restore")
@click.argument("model")
@click.pass_obj
def restore(shell: Shell, model: str) -> None:
    """Offer a model again that its provider said to be gone."""

    async def go(client: Client) -> None:
        restored = await client.post("/operator/models/restore", {"model": model})
        shell.answer(restored, describe(restored))

    shell.ask(go)


def describe(model: Any) -> str:
    """One model in a line, and why it cannot be ordered in a second one."""
    cost = f"{model['cost_usd']:.4g} USD" if model["cost_usd"] else "cost not given"
    status = model["status"].replace("_", " ")
    line = f"{model['id']}: {status}, {price(model['price'])}, {cost}, {model['upstream']} at {model['provider']}"
    return line + (f"\n  {model['why']}" if model["why"] else "")


def price(of: Any) -> str:
    """What a result costs in tokens: ``2 tokens + 1 a second``."""
    parts = [f"{of['base']} tokens"] if of["base"] or not of["per_second"] else []
    parts += [f"{of['per_second']} tokens a second"] if of["per_second"] else []
    return " + ".join(parts)
