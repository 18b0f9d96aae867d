"""What `make demo` shows: a picture from a prompt, a film from a prompt, and a film from a picture."""

import asyncio
import secrets
from importlib.resources import as_file, files
from typing import Any

import click

from mutoscope.cli.client import Client, Failed
from mutoscope.cli.ordering import describe, order, progress_bar, wait
from mutoscope.cli.shell import Shell

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


async def demo(client: Client, shell: Shell) -> None:
    """Make the three unless an earlier run did, and say where they are. What failed earlier is ordered again."""
    await _demo_person(client)
    jobs = [await _job(client, number, wish, with_picture) for number, (_, wish, with_picture) in enumerate(WISHES)]
    names = [name for name, _, _ in WISHES]
    with progress_bar(quiet=shell.as_json) as progress:
        done = await asyncio.gather(
            *(wait(client, job, progress, name) for name, job in zip(names, jobs, strict=True)), return_exceptions=True
        )
    link = await client.post("/operator/sign-in-links", {"name": PERSON})
    for name, job in zip(names, done, strict=True):
        if isinstance(job, Failed):
            shell.complain(job.code, f"{name} could not be made: {job.detail} The studio goes on.")
        elif isinstance(job, BaseException):
            raise job
        elif not shell.as_json:
            click.echo(f"\n{name}: " + describe(job["media"][0]))
    shell.answer({"sign_in": link["url"]}, f"\nSign in once as its administrator ({PERSON}): {link['url']}")


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
    # The keys make a second run find the first one's job instead of ordering again; one that failed is tried again.
    job = await _ordered(client, wish, with_picture, f"demo-{number}")
    while job["status"] in ("failed", "canceled"):
        key = {"Idempotency-Key": f"demo-after-{job['id']}"}
        job = await client.post(f"/api/generations/{job['id']}/retry", headers=key)
    return job


async def _ordered(client: Client, wish: dict[str, Any], with_picture: bool, key: str) -> Any:
    if not with_picture:
        return await order(client, wish, None, key)
    with as_file(files("mutoscope.demo") / "photograph.jpg") as picture:
        return await order(client, wish, picture, key)
