"""ComfyUI's words: how jobs stand, what they gave, and what went wrong, of servers that have ``/api/jobs`` and older ones.

By server.py and comfy_execution/jobs.py of ComfyUI, 2026-10.
"""

import uuid
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import quote, urlencode

import msgspec

from mutoscope.domain.generation import Output
from mutoscope.outgoing import Answer

OURS = uuid.UUID("6d75746f-7363-5f70-a5a5-636f6d667975")
"""The namespace of our ids (RFC 9562): the same reference is the same job."""
FOLDER = "mutoscope"
"""The folder at a server, below its inputs and below its outputs, in which all is that is of this studio."""
PICTURES: Mapping[str, str] = {
    "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "webp": "image/webp", "gif": "image/gif",
    "avif": "image/avif",
}  # fmt: skip
FILMS: Mapping[str, str] = {
    "mp4": "video/mp4", "m4v": "video/mp4", "mov": "video/quicktime", "webm": "video/webm", "mkv": "video/x-matroska",
}  # fmt: skip
SUFFIXES: Mapping[str, str] = {"image/png": "png", "image/jpeg": "jpg", "image/webp": "webp"}
"""How the files of source pictures end."""


class Trouble(msgspec.Struct):
    """Why a job failed, for the administrator."""

    node_id: Any = ""
    node_type: Any = ""
    exception_type: Any = ""
    exception_message: Any = ""

    def __str__(self) -> str:
        return f"node {self.node_id} ({self.node_type}): {self.exception_type}: {self.exception_message}".strip()


class Job(msgspec.Struct):
    """A job, as ``/api/jobs`` has it."""

    status: str = ""
    outputs: dict[str, Any] = {}
    execution_error: Trouble | None = None


class Status(msgspec.Struct):
    """How a job ended, in a history. ``messages`` are events: each a name and what is said of it."""

    status_str: str | None = None
    messages: list[list[Any]] = []


class Past(msgspec.Struct):
    """A job in a history."""

    outputs: dict[str, Any] = {}
    status: Status | None = None


class Queue(msgspec.Struct):
    """The jobs that wait or are being made: number, id, and what does not matter here."""

    queue_running: list[list[msgspec.Raw]] = []
    queue_pending: list[list[msgspec.Raw]] = []


class Room(msgspec.Struct):
    """How many jobs there are at a server."""

    queue_remaining: int


class Rooms(msgspec.Struct):
    """The answer that has it."""

    exec_info: Room


class Taken(msgspec.Struct):
    """The answer to an order. Older servers choose the id themselves."""

    prompt_id: str


class Uploaded(msgspec.Struct):
    """Where a picture is."""

    name: str
    subfolder: str = ""

    @property
    def path(self) -> str:
        """As a node that loads pictures names it."""
        return f"{self.subfolder}/{self.name}" if self.subfolder else self.name


class Stopped(msgspec.Struct):
    """Whether a job was there to be stopped."""

    cancelled: bool = False


class Machine(msgspec.Struct):
    """What a server is."""

    comfyui_version: str = "of an unknown version"


class Stats(msgspec.Struct):
    """The answer that has it."""

    system: Machine


def id_for(reference: str) -> str:
    """Our id for a job, as servers want it: a UUID in small letters."""
    return str(uuid.uuid5(OURS, reference))


def is_no_such_job(answer: Answer) -> bool:
    """Whether a 404 is about the job, and not about a path that an older server does not have."""
    return answer.status == 404 and "Job not found" in answer.body[:200].decode(errors="replace")


def standing_in(queue: Queue, id: str) -> str | None:
    """The status of a job that is not done; None for one that is not there."""
    quoted = msgspec.json.encode(id)
    for status, items in (("in_progress", queue.queue_running), ("pending", queue.queue_pending)):
        if any(len(item) > 1 and bytes(item[1]) == quoted for item in items):
            return status
    return None


def job_of(past: Past) -> Job:
    """A job of a history, as ``/api/jobs`` would have it."""
    status = past.status or Status()
    if status.status_str != "error":
        ended = {None: "completed", "success": "completed"}
        return Job(status=ended.get(status.status_str, status.status_str or ""), outputs=past.outputs)
    said = {message[0]: message[1] for message in status.messages if len(message) == 2}
    if "execution_interrupted" in said:
        return Job(status="cancelled", outputs=past.outputs)
    trouble = msgspec.convert(said.get("execution_error", {}), Trouble)
    return Job(status="failed", outputs=past.outputs, execution_error=trouble)


def outputs_of(job: Job, base: str) -> tuple[Output, ...]:
    """The files that a job saved, in the order of its nodes: the films where there are any, or else the pictures.

    Nodes name their lists as they like ("images" has films too, "gifs" too), so that the files' own names decide.
    """
    files = [item for of in job.outputs.values() for item in _files(of)]
    for kinds in (FILMS, PICTURES):
        found = [(item, kinds[end]) for item in files if (end := _suffix(item["filename"])) in kinds]
        if found:
            return tuple(Output(url=base + _view(item), media_type=kind) for item, kind in found)
    return ()


def _files(of: Any) -> list[dict[str, Any]]:
    """What a node saved. What is but a preview is of the type "temp"."""
    lists = list(cast(dict[str, Any], of).values()) if isinstance(of, dict) else []
    items = [item for found in lists if isinstance(found, list) for item in cast(list[Any], found)]
    dicts = [cast(dict[str, Any], item) for item in items if isinstance(item, dict)]
    return [item for item in dicts if item.get("type") == "output" and isinstance(item.get("filename"), str)]


def _suffix(name: str) -> str:
    return name.rpartition(".")[2].lower()


def _view(item: Mapping[str, Any]) -> str:
    where = {"filename": item["filename"], "subfolder": str(item.get("subfolder") or ""), "type": "output"}
    return f"/view?{urlencode(where, quote_via=quote)}"


def words_of(answer: Answer) -> str:
    """Why an order was refused: what is wrong with the workflow, and at which nodes."""
    try:
        said = msgspec.json.decode(answer.body, type=dict[str, Any])
        error, nodes = said.get("error", {}), said.get("node_errors") or {}
        words = [f"{error['message']}: {error['details']}" if isinstance(error, dict) else str(error)]
        for id, node in nodes.items():
            for one in node["errors"]:
                words.append(f"node {id} ({node['class_type']}): {one['message']}: {one['details']}")
        return "; ".join(words)
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError, AttributeError):
        return ""
