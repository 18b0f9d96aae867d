"""A stub provider with a plain wire format, in its own process: ``python -m stubs.counting --port 0 --state FOLDER``.

It prints its port. What it took and what it would have been paid for is in FOLDER, so that it can be asked after our
crash, or after its own.

    POST   /jobs {"reference": R, "results": N, "kind": K, "script": {...}} -> 202 {"id"} | 200 {"outputs"} | an error
    GET    /jobs/ID -> {"status": "running" | "finished" | "canceled" | "failed", "progress", "outputs", "withheld"}
    GET    /jobs?reference=R -> {"id"} | 404 (never had it) | 405 (cannot be asked)
    GET    /jobs/ID/outputs/N?key=K -> the bytes
    DELETE /jobs/ID -> {"status"} as above
    GET    /account -> {"name"} | an error
    POST   /admin/script {...} -> how jobs behave that bring no script of their own
    GET    /admin/counts -> {R: {"asked": n, "paid": n}}

An ``Idempotency-Key`` makes a second POST the same job.
"""

import asyncio
import json
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from stubs.book import Answer, Book, Script
from stubs.samples import samples
from stubs.serving import main

TYPES = {"image": "image/png", "video": "video/mp4"}


REFUSALS = {
    "refuse": (422, "invalid"),
    "moderate": (400, "moderated"),
    "unauthorized": (401, "unauthorized"),
    "credit": (402, "out_of_credit"),
    "retired": (410, "retired"),
    "rate_limit": (429, "rate_limited"),
    "busy": (503, "unavailable"),
    "gone": (404, "expired"),
}


class Stub:
    """The routes."""

    def __init__(self, book: Book, files: dict[str, bytes], lookup: bool) -> None:
        self._book, self._files, self._lookup = book, files, lookup

    async def answer(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Any:
        """Raises Answer, always."""
        url = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        match method, url.path.strip("/").split("/"):
            case "POST", ["jobs"]:
                await self._submit(json.loads(body), headers.get("idempotency-key"))
            case "GET", ["jobs"]:
                self._find(query["reference"])
            case "GET", ["jobs", id]:
                self._poll(id)
            case "DELETE", ["jobs", id]:
                self._cancel(id)
            case "GET", ["jobs", id, "outputs", place]:
                self._bytes(id, place, int(query["key"]))
            case "GET", ["account"]:
                script = self._book.script()
                if script.account in REFUSALS:
                    self._refuse(script.account, script)
                raise Answer(200, {"name": "a customer"})
            case "POST", ["admin", "script"]:
                self._book.set_script(msgspec.json.decode(body, type=Script))
                raise Answer(200, {})
            case "GET", ["admin", "counts"]:
                raise Answer(200, self._book.counts())
            case _:
                raise Answer(404, {"error": "invalid", "message": "no such route"})

    async def _submit(self, order: dict[str, Any], key: str | None) -> None:
        given = order.get("script")
        script = msgspec.convert(given, Script) if given else self._book.script()
        reference = order["reference"]
        self._book.ask(reference)
        await asyncio.sleep(script.submit_delay_s)
        how = script.submit
        if how not in ("take", "at_once") and not self._book.still(f"submit {reference}", script.submit_times):
            how = "take"
        if how == "drop_before":
            raise Answer(0, None)
        if how in REFUSALS:
            self._refuse(how, script)
        id = self._book.take(order, key, script)
        if how == "drop_after":
            raise Answer(0, None)
        if how == "strange":
            raise Answer(200, b"<html>what?</html>")
        if how == "at_once":
            raise Answer(200, self._view(id))
        raise Answer(202, {"id": id})

    def _refuse(self, how: str, script: Script) -> None:
        status, error = REFUSALS[how]
        headers = {"Retry-After": f"{script.retry_after_s:g}"} if script.retry_after_s is not None else {}
        raise Answer(status, {"error": error, "message": f"The stub says {error}."}, **headers)

    def _find(self, reference: str) -> None:
        if not self._lookup:
            raise Answer(405, {"error": "invalid", "message": "cannot be asked"})
        id = self._book.find(reference)
        raise Answer(200, {"id": id}) if id else Answer(404, {"error": "expired", "message": "no such job"})

    def _poll(self, id: str) -> None:
        _, _, script, _, _ = self._book.job(id)
        if script.poll == "lost" and self._book.count(f"lost {id}") > script.poll_times:
            raise Answer(404, {"error": "expired", "message": "no such job"})
        if script.poll in REFUSALS and self._book.still(f"poll {id}", script.poll_times):
            self._refuse(script.poll, script)
        raise Answer(200, self._view(id))

    def _cancel(self, id: str) -> None:
        _, _, script, _, _ = self._book.job(id)
        if script.cancel == "busy" and self._book.still(f"cancel {id}", script.cancel_times):
            self._refuse("busy", script)
        if script.cancel in ("stop", "late", "busy") and self._view(id)["status"] == "running":
            self._book.cancel(id)
            raise Answer(200, {"status": "canceled"})
        if script.cancel == "finish_first":
            raise Answer(200, self._finished(id))
        raise Answer(200, self._view(id))

    def _view(self, id: str) -> dict[str, Any]:
        _, _, script, since, canceled = self._book.job(id)
        elapsed = time.time() - since
        done = elapsed >= script.finish_after_s and script.end != "never"
        if (canceled and script.cancel != "late") or (done and script.end == "cancel"):
            return {"status": "canceled"}
        if not done:
            return {"status": "running", "progress": self._progress(id, script, elapsed)}
        if script.end == "fail":
            raise Answer(200, {"status": "failed", "error": "invalid", "message": "The stub could not make it."})
        return self._finished(id)

    def _progress(self, id: str, script: Script, elapsed: float) -> float:
        if script.progress:
            return script.progress[min(self._book.count(f"progress {id}"), len(script.progress)) - 1]
        return min(elapsed / max(script.finish_after_s, 0.001), 0.99)

    def _finished(self, id: str) -> dict[str, Any]:
        _, results, script, _, _ = self._book.job(id)
        made = 0 if script.end == "moderate" else results if script.outputs is None else script.outputs
        withheld = "The stub withheld a result." if made < results else ""
        key = self._book.count(f"key {id}")
        outputs = [f"/jobs/{id}/outputs/{place}?key={key}" for place in range(made)]
        return {"status": "finished", "id": id, "outputs": outputs, "withheld": withheld}

    def _bytes(self, id: str, place: str, key: int) -> None:
        kind, _, script, _, _ = self._book.job(id)
        how, right = script.body, self._files[kind]
        if how == "expired":
            # Addresses die by their key, not by how often they were tried.
            if script.body_times < 0 or key <= script.body_times:
                raise Answer(410, {"error": "expired", "message": "this address is dead"})
            raise Answer(200, right)
        if how == "right" or not self._book.still(f"body {id} {place}", script.body_times):
            raise Answer(200, right)
        if how == "error":
            raise Answer(500, {"error": "unavailable", "message": "broken"})
        if how == "wrong_type":
            raise Answer(200, b"<html>Please sign in</html>" * 50)
        if how == "other_kind":
            raise Answer(200, self._files["image" if kind == "video" else "video"])
        # A body shorter than it says; one whose end cannot be told from the wire; one that goes silent in the middle.
        raise Answer(200, right[: len(right) // 2], how=how, length=str(len(right)))


if __name__ == "__main__":
    main(lambda folder, lookup: Stub(Book(folder), samples(folder), lookup).answer)
