"""A stub of Replicate's HTTP interface, ``python -m stubs.replicate``: predictions of official and of other models, files,
the account, and the secret of its webhooks.

By the HTTP reference of 2026 and the OpenAPI description 1.0.0-a1 (requests; it describes no answers). Predictions carry
``webhook``, as the types of the official JavaScript client have it and as bodies of real webhooks show. The hour after
which outputs are removed is over at once with ``body: expired``: a prediction shows its output once.

    GET /admin/webhook?reference=PROMPT&how=right|forged|old   {"headers": {...}, "body": "..."}: a call about that job
"""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stubs.book import Answer, Script
from stubs.replicate_models import MODELS, Taken
from stubs.serving import main
from stubs.vendor import KEY, Vendor, form

SECRET = "whsec_" + base64.b64encode(b"the secret of the stub's account").decode()
PAGE = 100
EVENTS = {"start", "output", "logs", "completed"}
REFUSALS: dict[str, tuple[int, dict[str, Any]]] = {
    "refuse": (422, {"detail": "- input: prompt is not usable", "status": 422}),
    "moderate": (422, {"title": "Input rejected", "detail": "The input was flagged as sensitive. (E005)", "status": 422}),
    "unauthorized": (
        401, {"title": "Unauthenticated", "detail": "You did not pass a valid authentication token", "status": 401},
    ),
    "credit": (
        402, {"title": "Insufficient credit", "detail": "You have insufficient credit to run this model.", "status": 402},
    ),
    "retired": (404, {"title": "Not found", "detail": "The requested model could not be found.", "status": 404}),
    "busy": (503, {"detail": "Service unavailable", "status": 503}),
}  # fmt: skip
NO_VERSION = {
    "title": "Invalid version or not permitted",
    "detail": "The specified version does not exist (or perhaps you don't have permission to use it?)",
    "status": 422,
}
STATUSES = {"running": "processing", "finished": "succeeded", "failed": "failed", "canceled": "canceled"}


class Replicate(Vendor):
    """The routes."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._wishes = folder / "wishes"
        self._wishes.mkdir(exist_ok=True)

    def refuse(self, how: str, headers: dict[str, str]) -> Answer:
        if how == "rate_limit":
            wait = f" Your rate limit resets in ~{headers['Retry_After']}s." if headers else ""
            return Answer(429, {"detail": f"Request was throttled.{wait}", "status": 429}, **headers)
        status, body = REFUSALS[how]
        return Answer(status, body, **headers)

    async def route(
        self, method: str, path: Sequence[str], query: dict[str, str], headers: dict[str, str], body: bytes
    ) -> None:
        if path[0] == "pbxt":
            self._bytes(path[1], int(path[2]))
        if headers.get("authorization") != f"Bearer {KEY}":
            raise self.refuse("unauthorized", {})
        base = f"http://{headers['host']}"
        match method, list(path):
            case "POST", ["v1", "predictions"]:
                await self._by_version(_json(headers, body), base)
            case "POST", ["v1", "models", owner, name, "predictions"]:
                if (taken := MODELS.get(f"{owner}/{name}")) is None:
                    raise self.refuse("retired", {})
                await self._begin(f"{owner}/{name}", taken, _json(headers, body), base)
            case "GET", ["v1", "predictions"]:
                self._list(int(query.get("cursor") or 0), base)
            case "GET", ["v1", "predictions", id]:
                raise Answer(200, self._now(id, base))
            case "POST", ["v1", "predictions", id, "cancel"]:
                self._cancel(id, base)
            case "POST", ["v1", "files"]:
                self._upload(headers, body, base)
            case "DELETE", ["v1", "files", id]:
                self._known_file(id).unlink()
                raise Answer(204, b"")
            case "GET", ["v1", "account"]:
                self._account()
            case "GET", ["v1", "webhooks", "default", "secret"]:
                self.book.count("secret asked")
                raise Answer(200, {"key": SECRET})
            case _:
                raise _not_found()

    async def administer(self, method: str, path: Sequence[str], query: dict[str, str], body: bytes) -> None:
        if (method, list(path)) == ("GET", ["webhook"]):
            raise Answer(200, self._call(query["reference"], query.get("how", "right")))

    async def _by_version(self, wish: dict[str, Any], base: str) -> None:
        version = wish.pop("version", None)
        if not isinstance(version, str):
            raise _invalid("version is required")
        if (taken := MODELS.get(version)) is None:
            raise Answer(422, NO_VERSION)
        await self._begin(version, taken, wish, base)

    async def _begin(self, model: str, taken: Taken, wish: dict[str, Any], base: str) -> None:
        wrong = [f"Additional property {name} is not allowed" for name in set(wish) - WISH]
        if not isinstance(wish.get("input"), dict):
            raise _invalid("input is required", *wrong)
        files = {f"{base}/v1/files/{path.name}" for path in self.folder.glob("files/*")}
        wrong += [f"input: {one}" for one in taken.complaints(wish["input"], files)]
        if not str(wish.get("webhook", "https://")).startswith("https://"):
            wrong.append("webhook: Does not match format 'uri' of https")
        if not set(wish.get("webhook_events_filter", [])) <= EVENTS:
            wrong.append("webhook_events_filter: unknown event")
        if wrong:
            raise _invalid(*wrong)
        prompt, results, wish = wish["input"]["prompt"], wish["input"].get("num_outputs", 1), {"model": model} | wish
        try:
            id, script = await self.begin(prompt, taken.kind, results)
        except Answer:
            if (taken_id := self.book.find(prompt)) is not None:
                self._keep(taken_id, wish)
            raise
        self._keep(id, wish)
        raise Answer(201, self._prediction(id, script, "starting", base, None))

    def _keep(self, id: str, wish: dict[str, Any]) -> None:
        if not (self._wishes / id).exists():
            (self._wishes / id).write_text(json.dumps(wish | {"at": time.time()}))

    def _now(self, id: str, base: str) -> dict[str, Any]:
        """A prediction as it stands."""
        try:
            _, results, script, stage = self.look(id)
        except Answer as answer:
            raise _not_found() if answer.status == 404 else answer from None
        if script.poll == "lost" and self.book.still(f"poll {id}", script.poll_times):
            raise _not_found()
        status = STATUSES[stage]
        if stage == "canceled" and script.end == "cancel":
            # Nobody asked for it: its deadline passed before it began to run.
            status = "aborted"
        if script.poll == "word" and self.book.still(f"poll {id}", script.poll_times):
            status = "thinking"
        if status == "succeeded" and script.end == "moderate":
            status = "failed"
        good, output = self.good(script, results), None
        if status == "succeeded" and not (script.body == "expired" and self.book.count(f"shown {id}") > 1):
            output = self._output(id, good, base)
        return self._prediction(id, script, status, base, output)

    def _output(self, id: str, good: int, base: str) -> Any:
        addresses = [f"{base}/pbxt/{id}/{place}" for place in range(good)]
        gives = MODELS[self._wish(id)["model"]].gives
        if gives == "object":
            return {"seed": 7, "film": addresses[0], "info": {"note": "made by a stub"}}
        return addresses if gives == "list" else addresses[0]

    def _prediction(self, id: str, script: Script, status: str, base: str, output: Any) -> dict[str, Any]:
        wish = self._wish(id)
        model, _, version = wish["model"].partition(":")
        over = status in {"succeeded", "failed", "canceled", "aborted"}
        removed = status == "succeeded" and output is None
        dropped = script.outputs is not None and script.outputs < wish["input"].get("num_outputs", 1)
        logs = "NSFW content detected in image 2\n" if dropped else f"  0%|  | 0/4\r {self._percent(id)}%|##| 2/4"
        return {
            "id": id, "model": model, "version": version or "hidden",
            "input": {} if removed else wish["input"], "logs": "" if removed else logs,
            "output": output, "data_removed": removed, "error": _error(script) if status == "failed" else None,
            "status": status, "source": "api", "created_at": _time(wish["at"]),
            "started_at": _time(wish["at"]) if status != "starting" else None,
            "completed_at": _time(time.time()) if over else None, "metrics": {"predict_time": 1.0} if over else {},
            "urls": {
                "cancel": f"{base}/v1/predictions/{id}/cancel", "get": f"{base}/v1/predictions/{id}",
                "web": f"https://replicate.com/p/{id}",
            },
            **{name: wish[name] for name in ("webhook", "webhook_events_filter") if name in wish},
        }  # fmt: skip

    def _percent(self, id: str) -> int:
        return int(self.progress(id) * 100)

    def _wish(self, id: str) -> dict[str, Any]:
        return json.loads((self._wishes / id).read_text())

    def _list(self, first: int, base: str) -> None:
        ids = sorted((path.name for path in self._wishes.iterdir()), key=lambda id: -self._wish(id)["at"])
        shown = [self._prediction(id, Script(), "processing", base, None) for id in ids[first : first + PAGE]]
        more = f"{base}/v1/predictions?cursor={first + PAGE}" if len(ids) > first + PAGE else None
        raise Answer(200, {"previous": None, "next": more, "results": shown})

    def _cancel(self, id: str, base: str) -> None:
        try:
            _, _, script, _, _ = self.book.job(id)
        except Answer:
            raise _not_found() from None
        if script.cancel == "busy" and self.book.still(f"cancel {id}", script.cancel_times):
            raise self.refuse("busy", {})
        _, _, _, since, canceled = self.book.job(id)
        if script.cancel in ("stop", "late") and self.stage(script, since, canceled) == "running":
            self.book.cancel(id)
        raise Answer(200, self._now(id, base))

    def _bytes(self, id: str, place: int) -> None:
        _, _, script, _, _ = self.book.job(id)
        raise Answer(404, b"") if script.body == "expired" else self.give(id, place)

    def _upload(self, headers: dict[str, str], body: bytes, base: str) -> None:
        if not headers.get("content-type", "").startswith("multipart/form-data"):
            raise Answer(415, {"detail": "Unsupported media type", "status": 415})
        fields = form(headers, body)
        if set(fields) - {"content", "metadata", "filename", "type"} or b'name="content"; filename="' not in body:
            raise _invalid("content is required, as a file")
        content = fields["content"]
        id = hashlib.sha256(content + str(self.book.count("files")).encode()).hexdigest()[:26]
        (self.folder / "files").mkdir(exist_ok=True)
        (self.folder / "files" / id).write_bytes(content)
        checksum = hashlib.sha256(content).hexdigest()
        raise Answer(201, {
            "id": id, "name": "source", "content_type": "application/octet-stream", "size": len(content), "etag": id,
            "checksums": {"sha256": checksum}, "metadata": {}, "created_at": _time(time.time()),
            "expires_at": _time(time.time() + 86_400), "urls": {"get": f"{base}/v1/files/{id}"},
        })  # fmt: skip

    def _known_file(self, id: str) -> Path:
        path = self.folder / "files" / id
        if not id.isalnum() or not path.exists():
            raise _not_found()
        return path

    def _account(self) -> None:
        script = self.book.script()
        if script.account != "right":
            self.say_no(script.account, script)
        raise Answer(200, {"type": "organization", "username": "acme", "name": "Acme Corp, Inc.", "github_url": ""})

    def _call(self, prompt: str, how: str) -> dict[str, Any]:
        """What Replicate would send about a job, signed now."""
        id = self.book.find(prompt)
        assert id is not None
        body = json.dumps(self._now(id, "https://api.replicate.com"))
        name, at = f"msg_{self.book.count('calls')}", int(time.time()) - (3600 if how == "old" else 0)
        key = b"somebody else's" if how == "forged" else base64.b64decode(SECRET.removeprefix("whsec_"))
        signature = base64.b64encode(hmac.digest(key, f"{name}.{at}.{body}".encode(), "sha256")).decode()
        headers = {"webhook-id": name, "webhook-timestamp": str(at), "webhook-signature": f"v1,{signature}"}
        return {"headers": headers | {"content-type": "application/json"}, "body": body}


WISH = {"input", "webhook", "webhook_events_filter", "stream"}


def _json(headers: dict[str, str], body: bytes) -> dict[str, Any]:
    if not headers.get("content-type", "").startswith("application/json"):
        raise Answer(415, {"detail": "Unsupported media type", "status": 415})
    wish = json.loads(body)
    if not isinstance(wish, dict):
        raise _invalid("must be an object")
    return wish


def _invalid(*wrong: str) -> Answer:
    detail = "".join(f"- {one}\n" for one in wrong)
    return Answer(422, {"title": "Input validation failed", "detail": detail, "status": 422})


def _not_found() -> Answer:
    return Answer(404, {"title": "Not found", "detail": "The requested resource could not be found.", "status": 404})


def _error(script: Script) -> str:
    if script.end == "fail":
        return "CUDA out of memory (E1001)"
    return "The input or output was flagged as sensitive. Please try again with different inputs. (E005)"


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")


def routes(folder: Path, lookup: bool) -> Any:
    """For `serving.main`."""
    return Replicate(folder).answer


if __name__ == "__main__":
    main(routes)
