"""`mutoscope doctor --end-to-end`: what a person would do, from registering to the bytes, and then all of it away again.

A step is one finding. The first that fails ends the rehearsal, and cleaning up follows every end of it.
"""

import asyncio
import hashlib
import secrets
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import click
import msgspec

from mutoscope.cli.client import Client, Failed
from mutoscope.domain.media import Kind, Variant
from mutoscope.services.checkup import Finding
from mutoscope.services.rehearsal import WORD, CleanedUp, Plan, Trial

LOOK_EVERY_S = 0.2
PATIENCE_S = 600.0
"""How long a job may take beside ten times its usual time."""
PREVIEWS_S = 120.0
CLEANING_S = 120.0
"""How long cleaning up waits for what is still being made."""
NAMES = {Kind.IMAGE: "picture", Kind.VIDEO: "film"}
REMEDIES = {
    "unreachable": "Look whether people reach the studio or the bucket there: MUTOSCOPE_BASE_URL, the proxy, the network.",
    "slow": "Look at the studio's log and at the provider; is a worker running?",
    "moderated": "The provider does not like the doctor's prompt: try another model.",
}
REMEDY = "Look at the studio's log for this moment, mend what is said, and run it again."
STAYS = "the account and what the ledger names stay, shut and out of sight"

Say = Callable[[Finding], None]
T = TypeVar("T")


async def rehearse(client: Client, plan: Plan, say: Say) -> None:
    """Do it, and say every step. Never raises Failed: a step that fails is a finding."""
    rehearsal = _Rehearsal(client, f"doctor-{secrets.token_hex(8)}", say)
    try:
        await rehearsal.run(plan)
    except asyncio.CancelledError:
        again = f"`mutoscope doctor --clean-up {rehearsal.name}` does it later"
        click.echo(f"Interrupted: cleaning up. Ctrl-C again leaves it undone; {again}.", err=True)
        raise
    finally:
        say(await _clean_up_after(client, rehearsal.name))


async def _clean_up_after(client: Client, name: str) -> Finding:
    try:
        return await clean_up(client, name)
    except Failed:
        return Finding(part="clean-up", good=True, says=f"{name} was never made: there is nothing to take away")


async def clean_up(client: Client, name: str) -> Finding:
    """Take away what that throw-away person made, waiting for what is still being made.

    Raises Failed when there is no such throw-away person.
    """
    again = f"`mutoscope doctor --clean-up {name}` takes away the rest, now or later."
    try:
        done = await _taken_away(client, name)
    except Failed as e:
        if e.code in ("not_found", "invalid"):
            raise
        return Finding(part="clean-up", good=False, says=f"of {name}: {e.detail}", remedy=again)
    gone = f"{done.items} items emptied, {done.objects} objects removed, {done.tokens} tokens taken back"
    says = f"{name} suspended, {gone}"
    if done.left:
        return Finding(part="clean-up", good=False, says="; ".join([says, *done.left]), remedy=again)
    return Finding(part="clean-up", good=True, says=f"{says}; {STAYS}")


async def _taken_away(client: Client, name: str) -> CleanedUp:
    """What was taken away in all, when nothing is left or CLEANING_S have passed. Raises Failed."""
    ends, items, objects = time.monotonic() + CLEANING_S, 0, 0
    while True:
        now = msgspec.convert(await client.post("/operator/clean-ups", {"name": name}), CleanedUp)
        items, objects = items + now.items, objects + now.objects
        if not now.left or time.monotonic() > ends:
            return msgspec.structs.replace(now, items=items, objects=objects)
        await asyncio.sleep(LOOK_EVERY_S)


class _Rehearsal:
    def __init__(self, client: Client, name: str, say: Say) -> None:
        self._client, self.name, self._say = client, name, say
        self._part = ""
        self._items: list[Any] = []

    async def run(self, plan: Plan) -> None:
        """Every step, up to the first that fails."""
        tokens = sum(trial.tokens for trial in plan.trials)
        try:
            await self._step("person", self._come_in())
            await self._step("tokens", self._get_tokens(tokens))
            for trial in plan.trials:
                await self._step(NAMES[trial.kind], self._make(trial))
            for item in self._items:
                await self._step("bytes", self._read(item))
            await self._step("gallery", self._look(plan.trials))
            await self._step("ledger", self._prove(tokens))
        except Failed as e:
            remedy = REMEDIES.get(e.code, REMEDY)
            self._say(Finding(part=self._part, good=False, says=e.detail, remedy=remedy))

    async def _step(self, part: str, work: Coroutine[Any, Any, str]) -> None:
        self._part = part
        self._say(Finding(part=part, good=True, says=await work))

    async def _come_in(self) -> str:
        password, how = secrets.token_urlsafe(16), "registered"
        credentials = {"name": self.name, "password": password}
        try:
            await _whole(self._client.post("/api/auth/register", credentials))
        except Failed as e:
            if e.code != "forbidden":
                raise
            how = "made by the operator (nobody can register now)"
            await _whole(self._client.post("/operator/people", credentials))
        await self._client.sign_in(self.name, password)
        return f"{self.name} {how}, signed in, and has a token for programs"

    async def _get_tokens(self, needed: int) -> str:
        has = (await self._client.get("/api/tokens"))["available"]
        if has < needed:
            grant = {
                "name": self.name,
                "amount": needed - has,
                "reference": self.name,
                "memo": "For a try by the doctor",
            }
            has = (await self._client.post("/operator/grants", grant))["available"]
        return f"{needed} needed, {has} there"

    async def _make(self, trial: Trial) -> str:
        began, wish = time.monotonic(), _wish(trial)
        if trial.from_picture:
            wish["source_media"] = self._items[0]["id"]
        key = {"Idempotency-Key": f"{self.name}-{trial.kind}"}
        job = await self._ended(await _whole(self._client.post("/api/generations", wish, headers=key)))
        took = time.monotonic() - began
        if job["status"] != "succeeded":
            error = job["error"] or {"code": job["status"], "message": "The job was canceled."}
            raise Failed(0, error["code"], f"{trial.model}: {error['message']}")
        if (job["tokens_charged"], len(job["media"])) != (trial.tokens, 1):
            raise Failed(
                0,
                "wrong",
                f"{job['tokens_charged']} tokens were taken instead of {trial.tokens}, for {len(job['media'])} items.",
            )
        item = await self._with_previews(job["media"][0])
        self._items.append(item)
        length = f", {item['duration_s']:.1f} s" if item["duration_s"] else ""
        from_ = " from the picture" if trial.from_picture else ""
        return f"{item['id']} by {trial.model}{from_} in {took:.1f} s: {item['width']}x{item['height']}{length}, {item['mime_type']}"

    async def _ended(self, job: Any) -> Any:
        ends = time.monotonic() + PATIENCE_S + 10 * job["estimate_s"]
        while job["status"] in ("queued", "in_progress"):
            if time.monotonic() > ends:
                raise Failed(0, "slow", f"{job['id']} is {job['stage']} for a very long time.")
            await asyncio.sleep(LOOK_EVERY_S)
            job = await self._client.get(f"/api/generations/{job['id']}")
        return job

    async def _with_previews(self, item: Any) -> Any:
        ends = time.monotonic() + PREVIEWS_S
        while item["previews"] == "pending" and time.monotonic() < ends:
            await asyncio.sleep(LOOK_EVERY_S)
            item = await self._client.get(f"/api/media/{item['id']}")
        if item["previews"] in ("pending", "failed"):
            raise Failed(
                0, "slow", f"{item['id']} is kept, but its preview loop and storyboard are {item['previews']}."
            )
        return item

    async def _read(self, item: Any) -> str:
        size, digest, mime_type = await self._open(item, item["url"])
        if (size, digest) != (item["size_bytes"], item["sha256"]):
            raise Failed(
                0, "wrong", f"{item['id']} opens as other bytes than its record names ({size} of {item['size_bytes']})."
            )
        others = [variant for variant in item["urls"] if variant != Variant.MASTER]
        for variant in others:
            await self._open(item, item["urls"][variant])
        return f"{NAMES[Kind(item['kind'])]} {size / 1e6:.2f} MB, SHA-256 as recorded, {mime_type}; also open: {', '.join(others)}"

    async def _open(self, item: Any, address: str) -> tuple[int, str, str]:
        """Size, SHA-256 and type of what is there for its maker's browser; a bucket or a CDN is told nothing but the address."""
        digest, size = hashlib.sha256(), 0
        studio = item["page"].removesuffix(f"m/{item['id']}")
        async with self._client.open(address, as_person=address.startswith(studio)) as answer:
            if answer.status_code != 200:
                raise Failed(
                    answer.status_code, "wrong", f"{address.partition('?')[0]} answers with {answer.status_code}."
                )
            async for chunk in answer.aiter_bytes():
                digest.update(chunk)
                size += len(chunk)
        return size, digest.hexdigest(), answer.headers.get("content-type", "")

    async def _look(self, trials: list[Trial]) -> str:
        for trial, item in zip(trials, self._items, strict=True):
            words = f"{WORD} kind:{trial.kind}" if trial.prompt else f"kind:{trial.kind}"
            found = await self._client.get("/api/media", scope="library", q=words)
            if item["id"] not in [each["id"] for each in found["items"]]:
                raise Failed(0, "wrong", f"Its maker's library does not find {item['id']} by {words!r}.")
            for path in (f"/api/media/{item['id']}", f"/api/media?q=kind:{trial.kind}"):
                async with self._client.open(path) as answer:
                    if item["id"].encode() in await answer.aread():
                        raise Failed(0, "wrong", f"A visitor sees {item['id']}, which is private.")
        return "its maker's search finds all of it at once, and a visitor nothing"

    async def _prove(self, tokens: int) -> str:
        lines = (await self._client.get("/api/tokens/entries"))["items"]
        taken = sum(line["amount"] for line in lines if line["kind"] == "capture")
        if taken != tokens:
            raise Failed(0, "wrong", f"The statement names {taken} tokens instead of {tokens}.")
        [found] = await self._client.get("/operator/checkup", only_ledger=True)
        if not found["good"]:
            raise Failed(0, "wrong", found["says"])
        return f"{tokens} tokens were held and taken; {found['says']}"


def _wish(trial: Trial) -> dict[str, Any]:
    return {
        "model": trial.model,
        "prompt": trial.prompt,
        "parameters": trial.parameters,
        "visibility": "private",
    }


async def _whole(request: Coroutine[Any, Any, T]) -> T:
    """Let a request that makes something come to its end before an interruption is heard: then it is known, and goes."""
    task = asyncio.ensure_future(request)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        task.exception()
        raise
