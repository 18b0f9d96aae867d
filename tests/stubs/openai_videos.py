"""A stub of servers that speak OpenAI's videos interface, ``python -m stubs.openai_videos``, in two dialects.

Below ``/omni/v1`` it is vLLM-Omni, by its documentation and source of 2026-11: a short answer to an order, fields of its
own, a DELETE that stops what is being made. Below ``/plain/v1`` it is OpenAI's description of 2026-08-21 to the letter:
nothing but its own fields and values, whole resources, and a DELETE for finished films alone. vLLM-Omni would pass over
a field that it does not know; here that is refused, so that a misspelt one is seen.
"""

import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stubs.book import Answer, Script
from stubs.serving import main
from stubs.vendor import KEY, Stage, Vendor, form

Fields = dict[str, bytes]

WHOLE, NUMBER = r"\d+", r"\d+(\.\d+)?"
PLAIN = {"prompt": r"(?s).{1,32000}", "model": r".+", "seconds": r"4|8|12",
         "size": r"720x1280|1280x720|1024x1792|1792x1024"}  # fmt: skip
OMNI = {
    "prompt": r"(?s).+", "model": r".+", "seconds": r"[1-9]\d*", "size": r"\d+x\d+", "user": r".+",
    "negative_prompt": r"(?s).+", "seed": WHOLE, "num_frames": WHOLE, "fps": WHOLE, "num_inference_steps": WHOLE,
    "width": WHOLE, "height": WHOLE, "guidance_scale": NUMBER, "guidance_scale_2": NUMBER, "boundary_ratio": NUMBER,
    "flow_shift": NUMBER, "true_cfg_scale": NUMBER, "generate_sound": r"true|false",
}  # fmt: skip
REFUSALS = {
    "refuse": (400, "invalid_request_error", "invalid_value", "Invalid value: 'size'."),
    "moderate": (400, "video_generation_user_error", "moderation_blocked", "Your request was blocked by our moderation system."),
    "unauthorized": (401, "invalid_request_error", "invalid_api_key", "Incorrect API key provided."),
    "credit": (429, "insufficient_quota", "credit_balance_exhausted", "You exceeded your current quota."),
    "retired": (404, "invalid_request_error", "model_not_found", "The model does not exist or you do not have access to it."),
    "rate_limit": (429, "requests", "rate_limit_exceeded", "Rate limit reached for requests."),
    "busy": (503, "server_error", "server_error", "The server is overloaded."),
}  # fmt: skip


class Videos(Vendor):
    """The routes."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._orders: dict[str, dict[str, str]] = {}

    def refuse(self, how: str, headers: dict[str, str]) -> Answer:
        status, type, code, words = REFUSALS[how]
        return problem(status, type, code, words, **headers)

    async def route(
        self, method: str, path: Sequence[str], query: dict[str, str], headers: dict[str, str], body: bytes
    ) -> None:
        if list(path[1:2]) != ["v1"] or path[0] not in ("omni", "plain"):
            raise Answer(404, {"detail": "Not Found"})
        omni = path[0] == "omni"
        if headers.get("authorization") != f"Bearer {KEY}":
            raise Answer(401, {"error": "Unauthorized"}) if omni else self.refuse("unauthorized", {})
        match method, list(path[2:]):
            case "POST", ["videos"]:
                await self._create(omni, headers, body)
            case "GET", ["videos"]:
                raise Answer(200, {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False})
            case "GET", ["videos", id]:
                self._retrieve(id)
            case "GET", ["videos", id, "content"]:
                self._content(id)
            case "DELETE", ["videos", id]:
                self._delete(omni, id)
            case "GET", ["models"]:
                self._models(omni)
            case _:
                raise Answer(404, {"detail": "Not Found"})

    async def _create(self, omni: bool, headers: dict[str, str], body: bytes) -> None:
        fields = _form(headers, body)
        picture = fields.pop("input_reference", None)
        given = {name: value.decode() for name, value in fields.items()}
        _check(given, OMNI if omni else PLAIN)
        if picture is not None and not picture.startswith((b"\x89PNG", b"\xff\xd8", b"RIFF")):
            raise problem(400, "invalid_request_error", "invalid_image_file", "Invalid input reference.")
        id, _ = await self.begin(given["prompt"], "video")
        name = f"video_{id}"
        self._orders[name] = given
        if omni:
            raise Answer(200, {"id": name, "status": "queued", "created_at": int(time.time())})
        raise Answer(200, resource(name, "queued", given))

    def _retrieve(self, id: str) -> None:
        stage, script = self._stage(id)
        status = {"running": "in_progress", "finished": "completed", "failed": "failed", "canceled": "cancelled"}[stage]
        if script.poll == "word" and self.book.still(f"poll {id}", script.poll_times):
            status = "pondering"
        error = None
        if stage == "finished" and self.good(script, 1) == 0:
            status = "failed"
            error = {"code": "moderation_blocked", "message": "The film was blocked by our moderation system."}
        elif stage == "failed":
            error = {"code": "RuntimeError", "message": "CUDA out of memory."}
        progress = round(self.progress(bare(id)) * 100) if stage == "running" else 100
        raise Answer(200, resource(id, status, self._orders.get(id, {}), progress, error))

    def _content(self, id: str) -> None:
        stage, _ = self._stage(id)
        if stage != "finished":
            raise Answer(404, {"detail": "Generation is still in-progress"})
        said = self.give(bare(id), 0, self.key_of(bare(id)))
        raise Answer(404, {"detail": "Generated video file not found on disk"}) if said.status == 410 else said

    def _delete(self, omni: bool, id: str) -> None:
        stage, script = self._stage(id)
        if stage == "running":
            if not omni:
                raise problem(400, "invalid_request_error", "invalid_state", "Only finished videos can be deleted.")
            if script.cancel == "busy" and self.book.still(f"cancel {id}", script.cancel_times):
                raise Answer(409, {"detail": "Cancellation in progress. Please try again later."})
            if script.cancel == "ignore":
                raise Answer(405, {"detail": "Method Not Allowed"})
        self.book.cancel(bare(id))
        raise Answer(200, {"id": id, "deleted": True, "object": "video.deleted"})

    def _stage(self, id: str) -> tuple[Stage, Script]:
        """Raises Answer for a film that the server does not know, and for scripted trouble."""
        try:
            _, _, script, stage = self.look(bare(id))
        except Answer as answer:
            raise (Answer(404, {"detail": "Video not found"}) if answer.status == 404 else answer) from None
        lost = script.poll == "lost" and self.book.still(f"poll {id}", script.poll_times)
        if lost or (stage == "canceled" and script.end != "cancel"):
            raise Answer(404, {"detail": "Video not found"})
        return stage, script

    def _models(self, omni: bool) -> None:
        script = self.book.script()
        if script.account == "lost":
            raise Answer(404, {"detail": "Not Found"})
        if script.account != "right":
            self.say_no(script.account, script)
        owner = "vllm" if omni else "openai"
        raise Answer(
            200, {"object": "list", "data": [{"id": "wan", "object": "model", "created": 1, "owned_by": owner}]}
        )


def bare(id: str) -> str:
    """The number of a job in the book."""
    return id.removeprefix("video_")


def resource(
    id: str, status: str, given: dict[str, str], progress: int = 0, error: dict[str, str] | None = None
) -> dict[str, Any]:
    """A whole VideoResource."""
    done = status in ("completed", "failed")
    return {
        "id": id, "object": "video", "model": given.get("model", "sora-2"), "status": status, "progress": progress,
        "created_at": 1790000000, "completed_at": 1790000060 if done else None,
        "expires_at": 1790003660 if status == "completed" else None, "prompt": given.get("prompt"),
        "size": given.get("size", "720x1280"), "seconds": given.get("seconds", "4"),
        "remixed_from_video_id": None, "error": error,
    }  # fmt: skip


def problem(status: int, type: str, code: str, message: str, **headers: str) -> Answer:
    """An error in OpenAI's words."""
    return Answer(status, {"error": {"message": message, "type": type, "param": None, "code": code}}, **headers)


def _form(headers: dict[str, str], body: bytes) -> Fields:
    if not headers.get("content-type", "").startswith("multipart/form-data"):
        raise problem(400, "invalid_request_error", "unsupported_content_type", "Send multipart/form-data.")
    return form(headers, body)


def _check(given: dict[str, str], rules: dict[str, str]) -> None:
    if "prompt" not in given:
        raise problem(400, "invalid_request_error", "missing_required_parameter", "Missing parameter: 'prompt'.")
    for name, value in given.items():
        if name not in rules:
            raise problem(400, "invalid_request_error", "unknown_parameter", f"Unknown parameter: '{name}'.")
        if not re.fullmatch(rules[name], value):
            raise problem(400, "invalid_request_error", "invalid_value", f"Invalid value: '{value}' for '{name}'.")


def routes(folder: Path, lookup: bool) -> Any:
    """For `serving.main`."""
    return Videos(folder).answer


if __name__ == "__main__":
    main(routes)
