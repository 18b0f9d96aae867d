"""A job's life at the local provider: once and only once, through kills and restarts, to a result or a clear end."""

import asyncio
import errno
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.providers.conftest import content, finished, made, order, until

from mutoscope.darkroom.jailed import JailedDarkroom
from mutoscope.domain.generation import FailureKind, Output, ProviderJob
from mutoscope.domain.ids import DAY, SystemClock
from mutoscope.providers.local import LocalProvider, render
from mutoscope.providers.local import provider as adapter
from mutoscope.providers.local import work as render_work
from mutoscope.providers.local.folder import Folder
from mutoscope.providers.port import Canceled, Finished, Gone, Pending, ProviderError, SourceFile

LONG: dict[str, Any] = {"duration_s": 10, "size": "320x180"}


def renderers(local: LocalProvider) -> list[psutil.Process]:
    """The children that render for this provider, also those that wait to be reaped."""
    found: list[psutil.Process] = []
    for child in psutil.Process().children():
        try:
            if child.status() == psutil.STATUS_ZOMBIE or str(local.root.resolve()) in " ".join(child.cmdline()):
                found.append(child)
        except psutil.NoSuchProcess:
            continue
    return found


async def under_way(local: LocalProvider, job: ProviderJob, frames: int = 2) -> None:
    folder = Folder(local.root / job.id)
    await until(lambda: folder.frames_done() >= frames, "frame")


async def test_progress_rises_and_comes_from_the_frames(provider: LocalProvider, tmp_path: Path):
    accepted = await provider.submit(order(tmp_path, "dream", parameters={"duration_s": 4}))
    seen: list[float] = []
    await finished(provider, accepted.job, seen)
    assert seen == sorted(seen)
    assert seen[0] >= 0
    assert seen[-1] <= 1
    assert len(set(seen)) > 3
    # The child counts the last frames when the result has its name.
    folder = Folder(provider.root / accepted.job.id)
    await until(lambda: folder.frames_done() == 96, "count of all frames")


async def test_a_second_submit_of_the_same_reference_starts_nothing(provider: LocalProvider, tmp_path: Path):
    wish = order(tmp_path, "dream", parameters=LONG)
    jobs = await asyncio.gather(*(provider.submit(wish) for _ in range(5)))
    assert len({accepted.job.id for accepted in jobs}) == 1
    assert len(renderers(provider)) == 1


async def test_no_more_children_than_slots_and_the_others_follow(tmp_path: Path):
    local = LocalProvider(tmp_path / "local", JailedDarkroom(), slots=1)
    try:
        jobs = [(await local.submit(order(tmp_path, "still", seed=seed))).job for seed in range(3)]
        assert len(renderers(local)) == 1
        for job in jobs:
            await finished(local, job)
    finally:
        await local.close()


async def test_a_job_canceled_midway_leaves_no_process_and_no_result(provider: LocalProvider, tmp_path: Path):
    wish = order(tmp_path, "dream", parameters=LONG)
    job = (await provider.submit(wish)).job
    await under_way(provider, job)
    assert isinstance(await provider.cancel(job), Canceled)
    assert renderers(provider) == []
    names = {path.name for path in (provider.root / job.id).iterdir()}
    assert not any(name.endswith((".mp4", ".part")) for name in names)
    assert isinstance(await provider.poll(job), Canceled)
    assert isinstance(await provider.cancel(job), Canceled)
    await provider.submit(wish)
    assert renderers(provider) == [], "a canceled job is not begun again"


async def test_a_cancel_that_comes_after_the_end_says_finished(provider: LocalProvider, tmp_path: Path):
    job = (await provider.submit(order(tmp_path, "still"))).job
    done = await finished(provider, job)
    assert await provider.cancel(job) == done
    assert await content(provider, done)


async def test_a_cancel_of_what_another_process_renders_asks_it_to_stop(provider: LocalProvider, tmp_path: Path):
    job = (await provider.submit(order(tmp_path, "dream", parameters=LONG))).job
    await under_way(provider, job)
    stranger = LocalProvider(provider.root, JailedDarkroom())
    answer = await stranger.cancel(job)
    assert isinstance(answer, Pending)
    while isinstance(answer, Pending):
        answer = await stranger.cancel(job)
        await asyncio.sleep(0.01)
    assert isinstance(answer, Canceled)
    assert isinstance(await provider.poll(job), Canceled)


async def test_a_killed_child_is_replaced_and_the_bytes_are_the_same(provider: LocalProvider, tmp_path: Path):
    wish = order(tmp_path, "dream", parameters={"duration_s": 3, "size": "160x90"})
    job = (await provider.submit(wish)).job
    await under_way(provider, job)
    renderers(provider)[0].send_signal(signal.SIGKILL)
    disturbed = await content(provider, await finished(provider, job))
    assert Folder(provider.root / job.id).deaths() == 1
    await provider.forget(job)
    assert await made(provider, wish) == disturbed


async def test_a_job_whose_child_always_dies_fails_with_words(
    provider: LocalProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(adapter.sys, "executable", shutil.which("false"))
    job = (await provider.submit(order(tmp_path, "still"))).job
    with pytest.raises(ProviderError) as caught:
        await finished(provider, job)
    assert caught.value.kind is FailureKind.UNUSABLE
    assert "4 times" in caught.value.detail
    assert renderers(provider) == []


async def test_a_new_provider_on_the_same_folder_goes_on(tmp_path: Path):
    before = LocalProvider(tmp_path / "local", JailedDarkroom())
    wish = order(tmp_path, "dream", parameters={"duration_s": 3, "size": "160x90"})
    job = (await before.submit(wish)).job
    await under_way(before, job)
    await before.close()
    assert renderers(before) == []
    after = LocalProvider(tmp_path / "local", JailedDarkroom())
    try:
        assert await after.find(wish.reference) == job
        assert (await after.submit(wish)).job == job
        await finished(after, job)
        assert Folder(after.root / job.id).deaths() == 0, "a restart of the server is not held against the job"
    finally:
        await after.close()


SERVER = """
import asyncio, pathlib, sys
from mutoscope.darkroom.jailed import JailedDarkroom
from mutoscope.providers.local import LocalProvider
from mutoscope.darkroom.jailed import JailedDarkroom
from mutoscope.domain.generation import ProviderJob

async def serve():
    local = LocalProvider(pathlib.Path(sys.argv[1]), JailedDarkroom())
    await local.poll(ProviderJob(id=sys.argv[2], reference=sys.argv[2]))
    await asyncio.sleep(600)

asyncio.run(serve())
"""


async def test_a_child_ends_with_a_server_that_is_killed(tmp_path: Path):
    local = LocalProvider(tmp_path / "local", JailedDarkroom(), slots=0)
    job = (await local.submit(order(tmp_path, "dream", parameters=LONG))).job
    folder = Folder(local.root / job.id)
    server = psutil.Popen([sys.executable, "-c", SERVER, str(local.root), job.id])
    try:
        await under_way(local, job)
        child = server.children()[0]
    finally:
        server.kill()
        await asyncio.to_thread(server.wait)
    await until(lambda: not folder.busy(), "end of the child")
    await until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, "end of the child")


async def test_a_finished_job_leaves_no_zombie(provider: LocalProvider, tmp_path: Path):
    job = (await provider.submit(order(tmp_path, "still"))).job
    await finished(provider, job)
    await provider.forget(job)
    assert renderers(provider) == []


async def test_find_knows_what_was_submitted_and_nothing_else(provider: LocalProvider, tmp_path: Path):
    wish, other = order(tmp_path, "still"), order(tmp_path, "still")
    job = (await provider.submit(wish)).job
    assert await provider.find(wish.reference) == job
    assert await provider.find(other.reference) == Gone()


async def test_what_is_forgotten_is_gone(provider: LocalProvider, tmp_path: Path):
    job = (await provider.submit(order(tmp_path, "still"))).job
    done = await finished(provider, job)
    await provider.forget(job)
    await provider.forget(job)
    assert list(provider.root.iterdir()) == []
    assert await provider.find(job.reference) == Gone()
    with pytest.raises(ProviderError) as caught:
        await content(provider, done)
    assert caught.value.kind is FailureKind.EXPIRED
    with pytest.raises(ProviderError) as caught:
        await provider.poll(job)
    assert caught.value.kind is FailureKind.EXPIRED
    assert isinstance(await provider.cancel(job), Canceled)


async def test_ended_jobs_that_nobody_forgot_are_swept_and_running_ones_are_not(
    provider: LocalProvider, tmp_path: Path
):
    done = (await provider.submit(order(tmp_path, "still"))).job
    await finished(provider, done)
    running = (await provider.submit(order(tmp_path, "dream", parameters=LONG))).job
    await under_way(provider, running)
    old_s = (SystemClock().now() - 8 * DAY) / 1000
    for job in (done, running):
        os.utime(provider.root / job.id, (old_s, old_s))
    await provider.submit(order(tmp_path, "still"))
    assert isinstance(await provider.find(done.reference), Gone)
    assert await provider.find(running.reference) == running


HOSTILE = ["../../etc", "", ".", "gen_", "gen_../../../../../../../../..", "med_00000000000000000000000000", "a\x00b"]


@pytest.mark.parametrize("reference", HOSTILE)
async def test_a_hostile_reference_is_refused_and_touches_nothing(
    provider: LocalProvider, tmp_path: Path, reference: str
):
    job = ProviderJob(id=reference, reference=reference)
    for call in (
        provider.submit(order(tmp_path, "still", reference=reference)),
        provider.poll(job),
        provider.cancel(job),
        provider.find(reference),
        provider.forget(job),
    ):
        with pytest.raises(ProviderError) as caught:
            await call
        assert caught.value.kind is FailureKind.INVALID
    assert not provider.root.exists()


@pytest.mark.parametrize("url", [None, "", "local:../../etc/passwd", "file:///etc/passwd", "local:gen_x/0.png"])
async def test_an_address_that_is_not_ours_is_dead(provider: LocalProvider, url: str | None):
    with pytest.raises(ProviderError) as caught:
        await content(provider, Finished(outputs=(Output(url=url),)))
    assert caught.value.kind is FailureKind.EXPIRED


async def test_an_order_that_cannot_be_read_any_more_is_gone_and_stops_nobody(provider: LocalProvider, tmp_path: Path):
    provider.slots = 0
    job = (await provider.submit(order(tmp_path, "still"))).job
    written = Folder(provider.root / job.id).path / "order.json"
    written.write_text('{"old": "shape"}')
    assert await provider.find(job.reference) == Gone()
    assert await provider.cancel(job) == Canceled()
    with pytest.raises(ProviderError) as caught:
        await provider.poll(job)
    assert caught.value.kind is FailureKind.EXPIRED
    long_ago = SystemClock().now() / 1000 - 30 * DAY / 1000
    os.utime(written.parent, (long_ago, long_ago))
    await provider.submit(order(tmp_path, "still"))
    assert not written.parent.exists(), "it is swept like any job that has ended"


async def test_a_missing_source_picture_is_refused_with_words(
    provider: LocalProvider, tmp_path: Path, picture: SourceFile
):
    picture.path.unlink()
    for source in (picture, None):
        wish = order(tmp_path, "drift", source)
        with pytest.raises(ProviderError, match="picture") as caught:
            await provider.submit(wish)
        assert caught.value.kind is FailureKind.INVALID
        assert await provider.find(wish.reference) == Gone()


async def test_a_source_that_is_no_picture_is_refused_with_words(
    provider: LocalProvider, tmp_path: Path, picture: SourceFile
):
    picture.path.write_bytes(b"ffconcat version 1.0\nfile /etc/passwd\n")
    wish = order(tmp_path, "drift", picture)
    with pytest.raises(ProviderError, match="picture") as caught:
        await provider.submit(wish)
    assert caught.value.kind is FailureKind.INVALID
    assert await provider.find(wish.reference) == Gone()


async def test_the_child_that_renders_gets_plain_pixels_and_nothing_to_decode(
    provider: LocalProvider, tmp_path: Path, picture: SourceFile
):
    job = (await provider.submit(order(tmp_path, "drift", picture))).job
    assert Folder(provider.root / job.id).source.read_bytes().startswith(b"P6 160 120 255\n")
    await finished(provider, job)


async def test_a_source_that_turned_into_something_else_behind_the_jail_is_not_guessed_at(
    provider: LocalProvider, tmp_path: Path, picture: SourceFile
):
    provider.slots = 0
    job = (await provider.submit(order(tmp_path, "drift", picture))).job
    Folder(provider.root / job.id).source.write_bytes(picture.path.read_bytes())
    provider.slots = 1
    with pytest.raises(ProviderError, match="cannot be read") as caught:
        await finished(provider, job)
    assert caught.value.kind is FailureKind.INVALID


@pytest.mark.parametrize(
    ("upstream", "parameters", "kind"),
    [
        ("gone", {}, FailureKind.RETIRED),
        ("still", {"size": "99999x9"}, FailureKind.INVALID),
        ("still", {"size": "97x64"}, FailureKind.INVALID),
        ("dream", {"duration_s": 11}, FailureKind.INVALID),
        ("dream", {"motion_strength": 0}, FailureKind.INVALID),
        ("dream", {"motion": "spin"}, FailureKind.INVALID),
    ],
)
async def test_an_order_that_cannot_be_drawn_is_refused(
    provider: LocalProvider, tmp_path: Path, upstream: str, parameters: dict[str, Any], kind: FailureKind
):
    with pytest.raises(ProviderError) as caught:
        await provider.submit(order(tmp_path, upstream, parameters=parameters))
    assert caught.value.kind is kind
    assert not provider.root.exists() or list(provider.root.iterdir()) == []


async def test_nothing_starts_on_a_full_disk_and_it_goes_on_when_there_is_room(
    provider: LocalProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(adapter, "FREE_BYTES", 2**62)
    wish = order(tmp_path, "still")
    with pytest.raises(ProviderError, match="disk is full") as caught:
        await provider.submit(wish)
    assert caught.value.kind is FailureKind.UNAVAILABLE
    monkeypatch.setattr(adapter, "FREE_BYTES", 0)
    await finished(provider, (await provider.submit(wish)).job)


async def test_a_disk_that_fills_while_it_renders_is_said_and_the_next_look_tries_again(
    provider: LocalProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    job = (await provider.submit(order(tmp_path, "dream", parameters=LONG))).job
    provider.slots = 0
    renderers(provider)[0].kill()
    folder = Folder(provider.root / job.id)
    await until(lambda: not folder.busy(), "end of the child")

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(render_work, "work", full)
    render.render(folder.path, os.getppid())
    with pytest.raises(ProviderError, match="disk is full") as caught:
        await provider.poll(job)
    assert caught.value.kind is FailureKind.UNAVAILABLE
    assert isinstance(await provider.poll(job), Pending)


async def test_webhooks_are_never_believed(provider: LocalProvider):
    with pytest.raises(ProviderError) as caught:
        await provider.verify_webhook({}, b"{}")
    assert caught.value.kind is FailureKind.UNAUTHORIZED
