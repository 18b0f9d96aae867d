"""`mutoscope backup` and `restore`: the studio copies itself, the copy is looked at, and loaded elsewhere."""

from contextlib import aclosing
from pathlib import Path
from typing import Any

import msgspec
from rich.progress import Progress

from mutoscope.cli.client import Client, Failed
from mutoscope.settings import Settings
from mutoscope.wiring import restore, verify

Answer = dict[str, Any]


async def back_up(client: Client, target: Path, progress: Progress) -> Answer:
    """Copy everything into ``target``, a whole path; returns the manifest. Raises Failed."""
    task = progress.add_task("Copying", total=None)
    async with aclosing(client.lines("/operator/backups", {"target": str(target)})) as lines:
        async for line in lines:
            if error := line.get("error"):
                raise Failed(error["status"], error["code"], error["detail"])
            if manifest := line.get("manifest"):
                return manifest
            progress.update(task, completed=line["bytes"], total=max(line["of"], line["bytes"]) or None)
    raise Failed(0, "interrupted", "The backup broke off. What was copied is kept; run it again.")


async def look_at(target: Path, progress: Progress) -> Answer:
    """What a look at the backup found; ``wrong`` is empty when it is whole. Raises Refused."""
    progress.add_task("Looking at every file", total=None)
    return msgspec.to_builtins(await verify(target))


async def load(settings: Settings, folder: Path, progress: Progress) -> Answer:
    """Load a backup; returns what was loaded. Raises CannotOpen, Refused, StoreUnavailable, BlobsUnavailable."""
    task = progress.add_task("Loading", total=None)
    return msgspec.to_builtins(await restore(settings, folder, lambda there: progress.update(task, completed=there)))


def describe_restored(restored: Answer) -> str:
    """What was loaded, for a person."""
    kept = f" Kept as they were: {', '.join(restored['kept'])}." if restored["kept"] else ""
    return (
        f"The database of {restored['made_at']}, and {restored['objects']} files ({restored['objects_copied']} copied now)."
        f"{kept} Start the studio, and look with mutoscope doctor."
    )


def describe_backup(manifest: Answer, verified: Answer | None) -> str:
    """Both for a person."""
    lines = [
        f"{manifest['objects']} files, {manifest['objects_bytes'] / 1e6:.1f} MB"
        f" ({manifest['objects_copied']} copied now) and the database of {manifest['made_at']}"
    ]
    lines += [f"broken before it was copied: {key}" for key in manifest["damaged"]]
    if verified is not None:
        lines += [f"wrong: {sentence}" for sentence in verified["wrong"]]
        lines += (
            [] if verified["wrong"] else [f"Whole: {verified['items']} items, {verified['objects']} files looked at."]
        )
    return "\n".join(lines)
