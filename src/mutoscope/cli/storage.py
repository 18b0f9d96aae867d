"""`mutoscope storage`: a library on its way between the data folder and a bucket."""

import os
import sys
from typing import Any

import click
import msgspec
from rich.progress import Progress

from mutoscope.blobs.port import Blobs, BlobsUnavailable
from mutoscope.cli.client import Client, Failed, studio_client
from mutoscope.cli.ordering import progress_bar
from mutoscope.cli.shell import REFUSED, Group, Shell
from mutoscope.domain.ids import SystemClock
from mutoscope.services.moving import Moved, RecordedPage, move
from mutoscope.settings import Settings
from mutoscope.spool import Spool
from mutoscope.wiring import SPOOL, CannotOpen, open_places

PLACE = click.Choice(["folder", "bucket"])


@click.group(cls=Group)
def storage() -> None:
    """Where pictures and films are kept."""


@storage.command("move")
@click.argument("source", metavar="FROM", type=PLACE)
@click.argument("target", metavar="TO", type=PLACE)
@click.option("--delete-source", is_flag=True, help="At the end, when all is whole in TO, remove it from FROM.")
@click.pass_obj
def move_library(shell: Shell, source: str, target: str, delete_source: bool) -> None:
    """Copy the library from the data folder (folder) to the bucket (bucket), or back; run again, it goes on."""
    if source == target:
        raise click.UsageError("FROM and TO are the same place.")
    settings = shell.settings()
    with progress_bar(quiet=shell.as_json) as progress:
        moved, runs = shell.run(lambda: _move(settings, source, target, delete_source, progress))
    shell.answer(msgspec.to_builtins(moved) | {"running": runs}, describe_move(moved, target, runs))
    sys.exit(0 if moved.whole else REFUSED)


async def _move(
    settings: Settings, source: str, target: str, delete_source: bool, progress: Progress
) -> tuple[Moved, bool]:
    """What was done, and whether a studio runs. Raises Failed, Refused, CannotOpen."""
    places = open_places(settings)
    from_, to = _open(places[source]), _open(places[target])
    async with studio_client(settings) as client:
        if client.runs and delete_source:
            raise Failed(0, "wrong_state", f"A studio runs on this data folder: stop it before {source} is emptied.")
        try:
            await to.check()
        except BlobsUnavailable as e:
            raise Failed(0, "unavailable", f"Nothing was moved. {e}") from e
        total = (await client.get("/operator/totals"))["stored_bytes"]
        task = progress.add_task("Moving", total=total or None)
        moved = await move(
            from_,
            to,
            lambda cursor: _records(client, cursor),
            Spool(settings.data_dir / SPOOL),
            f"moving-{os.getpid()}",
            SystemClock(),
            delete_source,
            lambda done: progress.update(task, completed=done, total=max(total, done)),
        )
        return moved, client.runs


def _open(place: Blobs | None) -> Blobs:
    if place is None:
        raise CannotOpen("AWS_S3_BUCKET is missing: set it, and its keys, also when you move away from the bucket.")
    return place


async def _records(client: Client, cursor: str | None) -> RecordedPage:
    answer: Any = await client.get("/operator/records", cursor=cursor)
    return msgspec.convert(answer, RecordedPage)


def describe_move(moved: Moved, target: str, runs: bool) -> str:
    """What was done, for a person."""
    lines = [
        f"{moved.copied} copied ({moved.copied_bytes / 1e6:.1f} MB), {moved.skipped} there already,"
        f" {moved.missing} missing, {moved.wrong} wrong, {moved.deleted} removed from the source",
        *moved.named,
    ]
    if not moved.whole:
        return "\n".join([*lines, "Nothing was removed."])
    if runs:
        return "\n".join(
            [*lines, "The studio runs on: stop it, run this again for what it made meanwhile, then switch."]
        )
    how = "set AWS_S3_BUCKET" if target == "bucket" else "unset AWS_S3_BUCKET and the AWS keys"
    return "\n".join([*lines, f"All is in the {target}. For a studio that keeps it there, {how}."])
