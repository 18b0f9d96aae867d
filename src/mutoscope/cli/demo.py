"""What `make demo` shows: a picture from a prompt, a film from a prompt, and a film from a picture."""

import asyncio
import secrets
from importlib.resources import as_file, files
from typing import Any

import click

from mutoscope.cli.client import Client, Failed
from mutoscope.cli.ordering import describe, order, progress_bar, wait

PERSON = "demo"
TOKENS = 1_000

WISHES: tuple[tuple[str, dict[str, Any], bool], ...] = (
    (
        "A picture from a prompt",
        {
            "model": "local/still",
            "prompt": "Brass sun over a quiet ocean, blue hour, layered mountains",
            "seed": 7,
        },
        False,
    ),
    (
        "A film from a prompt",
        {
            "model": "local/dream",
            "prompt": "Aurora above a dark forest, slow and luminous",
            "seed": 11,
            "parameters": {"duration_s": 5},
        },
        False,
    ),
    (
        "A film from a picture",
        {
            "model": "local/drift",
            "prompt": "Drifting closer to the window table",
            "seed": 3,
            "parameters": {"duration_s": 5, "motion": "push-in"},
        },
        True,
    ),
)


async def demo(client: Client) -> None:
    """Make the three unless an earlier run did, and say where they are."""
    await _demo_person(client)
    jobs = [await _job(client, number, wish, with_picture) for number, (_, wish, with_picture) in enumerate(WISHES)]
    with progress_bar(quiet=False) as progress:
        names = [name for name, _, _ in WISHES]
        done = await asyncio.gather(*(wait(client, job, progress, name) for name, job in zip(names, jobs, strict=True)))
    for name, job in zip(names, done, strict=True):
        click.echo(f"\n{name}: " + describe(job["media"][0]))
    link = await client.post("/operator/sign-in-links", {"name": PERSON})
    click.echo(f"\nSign in once as its administrator ({PERSON}): {link['url']}")


async def _demo_person(client: Client) -> None:
    try:
        await client.become(PERSON)
    except Failed:
        await client.post("/operator/people", {"name": PERSON, "password": secrets.token_urlsafe(16), "role": "admin"})
        await client.post(
            "/operator/grants", {"name": PERSON, "amount": TOKENS, "reference": "demo", "memo": "For the demo"}
        )
        await client.become(PERSON)


async def _job(client: Client, number: int, wish: dict[str, Any], with_picture: bool) -> Any:
    # The key makes a second run find the first one's job instead of ordering again.
    key = f"demo-{number}"
    if not with_picture:
        return await order(client, wish, None, key)
    with as_file(files("mutoscope.demo") / "photograph.jpg") as picture:
        return await order(client, wish, picture, key)
