"""A stub of a ComfyUI server, ``python -m stubs.comfyui``: workflows are checked as there, and made by nobody.

By server.py, execution.py and comfy_execution/{jobs,progress}.py of ComfyUI, 2026-10. Below ``/old`` it is an older one,
without ``/api/jobs``. Its queue and history are in memory, as there. Jobs are counted by the name of the file that
they save. What stands before such a server in real life (a proxy) says what is scripted and ComfyUI never says itself.
"""

import io
import json
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from multipart import MultipartParser, parse_options_header

from stubs.book import Answer, Script
from stubs.comfyui_nodes import Invalid, saver
from stubs.serving import main
from stubs.vendor import Vendor
from stubs.websocket import BINARY, TEXT, frame, talking

PROXY = {"unauthorized": 401, "rate_limit": 429, "busy": 503}
ENDS = {"image": "png", "video": "mp4"}
STEPS, PENDING_PART = 20, 0.1
"""How many steps a job has, and for which part of its time it waits."""
STATUSES = {"running": "in_progress", "finished": "completed", "failed": "failed", "canceled": "cancelled"}
TROUBLE = {
    "node_id": "sampler", "node_type": "KSampler", "exception_type": "torch.OutOfMemoryError",
    "exception_message": "Allocation on device\n", "traceback": [], "current_inputs": {}, "executed": [],
}  # fmt: skip


class ComfyUI(Vendor):
    """The routes."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.inputs = folder / "input"
        self.jobs: dict[str, str] = {}
        """By the id of a prompt, that of the book."""
        self.graphs: dict[str, dict[str, Any]] = {}
        self.clients: dict[str, str | None] = {}
        """Who alone hears of a job; None: whoever listens."""

    def refuse(self, how: str, headers: dict[str, str]) -> Answer:
        if how in PROXY:
            return Answer(PROXY[how], b"<html>a proxy says no</html>", Content_Type="text/html", **headers)
        return Answer(400, Invalid("prompt_outputs_failed_validation", "Prompt outputs failed validation").body)

    async def route(
        self, method: str, path: Sequence[str], query: dict[str, str], headers: dict[str, str], body: bytes
    ) -> None:
        old = path[0] == "old"
        path = path[1:] if old else path
        match method, list(path):
            case "GET", ["ws"]:
                self._listen(query, headers, old)
            case "GET", ["prompt"]:
                raise Answer(200, {"exec_info": {"queue_remaining": len(self._left())}})
            case "POST", ["prompt"]:
                await self._order(headers, body)
            case "GET", ["api", "jobs", id] if not old:
                raise self._job(id) or Answer(404, {"error": "Job not found"})
            case "POST", ["api", "jobs", id, "cancel"] if not old:
                raise Answer(200, {"cancelled": self._cancel(id)})
            case "POST", ["upload", "image"]:
                self._upload(headers, body)
            case "GET", ["view"]:
                self._view(query)
            case "GET", ["system_stats"]:
                script = self.book.script()
                if script.account != "right":
                    self.say_no(script.account, script)
                raise Answer(200, {"system": {"os": "posix", "comfyui_version": "0.12.3"}, "devices": []})
            case _:
                self._of_old(method, path, body)
                raise Answer(404, b"404: Not Found", Content_Type="text/plain")

    def _of_old(self, method: str, path: Sequence[str], body: bytes) -> None:
        match method, list(path):
            case "GET", ["queue"]:
                raise Answer(200, {f"queue_{name}": self._queue(name) for name in ("running", "pending")})
            case "POST", ["queue"]:
                for id in json.loads(body)["delete"]:
                    if self._status(id) == "pending":
                        self._cancel(id)
                raise Answer(200, b"")
            case "POST", ["interrupt"]:
                id = json.loads(body)["prompt_id"]
                if self._status(id) == "in_progress":
                    self._cancel(id)
                raise Answer(200, b"")
            case "GET", ["history", id]:
                raise Answer(200, self._past(id))
            case "POST", ["history"]:
                for id in json.loads(body)["delete"]:
                    self.jobs.pop(id, None)
                raise Answer(200, b"")
            case _:
                return

    async def _order(self, headers: dict[str, str], body: bytes) -> None:
        if headers.get("content-type") != "application/json":
            raise Answer(500, b"500 Internal Server Error")
        order = json.loads(body)
        graph, id = order.get("prompt"), order.get("prompt_id")
        if unknown := set(order) - {"prompt", "prompt_id", "client_id", "extra_data", "number", "front"}:
            raise Answer(400, {"error": f"nothing of ours should send {unknown}", "node_errors": {}})
        if not isinstance(id, str) or str(uuid.UUID(id)) != id:
            raise Answer(400, Invalid("invalid_prompt_id", "prompt_id must be a valid UUID").body)
        try:
            node = saver(graph, self.inputs)
        except Invalid as e:
            raise Answer(400, e.body) from None
        reference = node["inputs"]["filename_prefix"].rpartition("/")[2]
        kind = "video" if node["class_type"] == "SaveVideo" else "image"
        results = max(n["inputs"].get("batch_size", 1) for n in graph.values()) if kind == "image" else 1
        self.clients[id] = order.get("client_id")
        try:
            self.jobs[id], _ = await self.begin(reference, kind, results)
        except Answer as answer:
            if answer.status in (0, 200, 303) and (taken := self.book.find(reference)):
                self.jobs[id], self.graphs[id] = taken, graph
            raise
        self.graphs[id] = graph
        raise Answer(200, {"prompt_id": id, "number": len(self.jobs), "node_errors": {}})

    def _job(self, id: str) -> Answer | None:
        if id not in self.jobs:
            return None
        of = self.jobs[id]
        kind, results, script, stage = self.look(of)
        if script.poll == "lost" and self.book.count(f"lost {of}") > script.poll_times:
            # It was started anew.
            del self.jobs[id]
            return None
        status = self._status(id)
        if script.poll == "word" and self.book.still(f"poll {of}", script.poll_times):
            status = "dreaming"
        said: dict[str, Any] = {"id": id, "status": status, "priority": 0, "create_time": 1_795_000_000_000}
        if stage == "finished":
            said |= {"outputs": self._outputs(id, kind, results, script), "outputs_count": results}
        if stage == "failed":
            said |= {"outputs": {}, "execution_error": TROUBLE}
        return Answer(200, said | {"workflow": {"prompt": self.graphs[id], "extra_data": {}}})

    def _status(self, id: str) -> str | None:
        if id not in self.jobs:
            return None
        _, _, script, since, canceled = self.book.job(self.jobs[id])
        status = STATUSES[self.stage(script, since, canceled)]
        waits = time.time() - since < script.finish_after_s * PENDING_PART
        return "pending" if status == "in_progress" and waits else status

    def _left(self) -> list[str]:
        return [id for id in self.jobs if self._status(id) in ("pending", "in_progress")]

    def _queue(self, name: str) -> list[list[Any]]:
        status = {"running": "in_progress", "pending": "pending"}[name]
        return [[0, id, self.graphs[id], {}, ["save"]] for id in self._left() if self._status(id) == status]

    def _past(self, id: str) -> dict[str, Any]:
        answer = None if self._status(id) in ("pending", "in_progress") else self._job(id)
        if answer is None:
            return {}
        said, events = answer.body, [["execution_start", {"prompt_id": id, "timestamp": 1}]]
        match said["status"]:
            case "failed":
                events.append(["execution_error", {"prompt_id": id, **TROUBLE}])
            case "cancelled":
                events.append(["execution_interrupted", {"prompt_id": id}])
            case _:
                events.append(["execution_success", {"prompt_id": id}])
        words = {"completed": "success", "failed": "error", "cancelled": "error"}
        word = words.get(said["status"], said["status"])
        status = {"status_str": word, "completed": word == "success", "messages": events}
        return {id: {"prompt": [0, id, self.graphs[id], {}, []], "outputs": said.get("outputs", {}), "status": status}}

    def _cancel(self, id: str) -> bool:
        if id not in self.jobs:
            return False
        _, _, script, _, _ = self.book.job(self.jobs[id])
        if script.cancel == "busy" and self.book.still(f"cancel {id}", script.cancel_times):
            self.say_no("busy", script)
        if self._status(id) not in ("pending", "in_progress") or script.cancel in ("finish_first", "ignore"):
            return False
        was = self._status(id)
        self.book.cancel(self.jobs[id])
        if was == "pending" and script.cancel != "late":
            del self.jobs[id]
        return True

    def _outputs(self, id: str, kind: str, results: int, script: Script) -> dict[str, Any]:
        node = next(id for id, n in self.graphs[id].items() if "filename_prefix" in n["inputs"])
        folder, _, name = self.graphs[id][node]["inputs"]["filename_prefix"].rpartition("/")
        end = f"_.{ENDS[kind]}"
        saved = [
            {"filename": f"{name}_{place + 1:05}{end}", "subfolder": folder, "type": "output"}
            for place in range(self.good(script, results))
        ]
        preview = {"filename": "ComfyUI_temp_abcde_00001_.png", "subfolder": "", "type": "temp"}
        return {
            "other": {"images": [preview]},
            node: {"images": saved} | ({"animated": [True]} if kind == "video" else {}),
        }

    def _view(self, query: dict[str, str]) -> None:
        name, _, rest = query["filename"].rpartition("_")[0].rpartition("_")
        id = self.book.find(name) if query.get("type") == "output" and query.get("subfolder") == "mutoscope" else None
        if id is None:
            raise Answer(404, b"")
        # The address of a file is always the same: what is gone is gone.
        raise self.give(id, int(rest) - 1, key=1)

    def _upload(self, headers: dict[str, str], body: bytes) -> None:
        _, options = parse_options_header(headers["content-type"])
        parts = {part.name: part for part in MultipartParser(io.BytesIO(body), options["boundary"])}
        image = parts.pop("image")
        fields = {name: part.value for name, part in parts.items()}
        if set(fields) != {"type", "subfolder", "overwrite"} or fields["type"] != "input" or not image.filename:
            raise Answer(400, b"")
        if not image.raw.startswith((b"\x89PNG", b"\xff\xd8\xff")):
            raise Answer(400, b"")
        path = self.inputs / fields["subfolder"] / image.filename
        if not path.resolve().is_relative_to(self.inputs.resolve()):
            raise Answer(400, b"")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(image.raw)
        raise Answer(200, {"name": image.filename, "subfolder": fields["subfolder"], "type": "input"})

    def _listen(self, query: dict[str, str], headers: dict[str, str], old: bool) -> None:
        if not query.get("clientId"):
            raise Answer(400, b"nothing of ours should go without a name")

        def news() -> list[bytes]:
            said = [frame(TEXT, json.dumps(message).encode()) for message in self._news(query["clientId"], old)]
            return [*said, frame(BINARY, b"\x00\x00\x00\x01\x00\x00\x00\x02a preview")]

        raise talking(headers, news)

    def _news(self, client: str, old: bool) -> list[dict[str, Any]]:
        news: list[dict[str, Any]] = [{"type": "status", "data": {"status": {}}}]
        for id in self._left():
            if self.clients[id] not in (None, client):
                continue
            done = int(self.progress(self.jobs[id]) * STEPS)
            step = {"value": done, "max": STEPS, "state": "running", "node_id": "sampler", "prompt_id": id}
            once = {"value": 1, "max": 1, "state": "finished", "node_id": "model", "prompt_id": id}
            nodes = {"model": once, "sampler": step}
            if not old:
                news.append({"type": "progress_state", "data": {"prompt_id": id, "nodes": nodes}})
            news.append({"type": "progress", "data": {"value": done, "max": STEPS, "prompt_id": id, "node": "sampler"}})
        return news


if __name__ == "__main__":
    main(lambda folder, _: ComfyUI(folder).answer)
