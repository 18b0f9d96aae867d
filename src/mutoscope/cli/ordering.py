"""`mutoscope generate` and what the demo shares with it: order, wait with a progress bar, answer with the item."""

import asyncio
import json
import mimetypes
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from mutoscope.cli.client import Client, Failed

LOOK_EVERY_S = 0.2


async def order(client: Client, wish: dict[str, Any], image: Path | None, key: str | None) -> Any:
    """Place an order; returns the job. Raises Failed."""
    headers = {"Idempotency-Key": key} if key else {}
    if image is None:
        return await client.post("/api/generations", wish, headers=headers)
    media_type = mimetypes.guess_type(image.name)[0] or "application/octet-stream"
    with image.open("rb") as file:
        return await client.post(
            "/api/generations",
            files={"image": ("image", file, media_type)},
            data={"request": json.dumps(wish)},
            headers=headers,
        )


def progress_bar(quiet: bool) -> Progress:
    """A bar on standard error that shows itself on a terminal only."""
    from rich.console import Console

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
    )
    return Progress(*columns, console=console, disable=quiet or not console.is_terminal)


async def wait(client: Client, job: Any, progress: Progress, name: str) -> Any:
    """Wait until a job has ended; returns it. Raises Failed when it did not succeed."""
    task = progress.add_task(name, total=1.0)
    while job["status"] in ("queued", "in_progress"):
        await asyncio.sleep(LOOK_EVERY_S)
        job = await client.get(f"/api/generations/{job['id']}")
        progress.update(task, completed=job["progress"] or 0.0, description=f"{name}: {job['stage']}")
    progress.update(task, completed=1.0, description=name)
    if job["status"] != "succeeded":
        error = job["error"] or {"code": job["status"], "message": "The job was canceled; the tokens are back."}
        raise Failed(0, error["code"], error["message"])
    return job


def describe(item: Any) -> str:
    """One item in a few lines for a person."""
    length = f", {item['duration_s']:.1f} s" if item["duration_s"] else ""
    size = f"{item['width']}x{item['height']}{length}, {item['size_bytes'] / 1_000_000:.2f} MB, {item['mime_type']}"
    return f"{item['title']}\n  {size}\n  page   {item['page']}\n  bytes  {item['url']}"
