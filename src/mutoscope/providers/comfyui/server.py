"""One ComfyUI server (https://docs.comfy.org/development/comfyui-server), newer or older."""

from mutoscope.domain.generation import FailureKind
from mutoscope.outgoing import Answer, Destination, Field, FilePart, Form, Json, Limits, Outgoing, quoted
from mutoscope.providers.answers import Asked, in_words
from mutoscope.providers.comfyui import wire
from mutoscope.providers.comfyui.progress import Progress
from mutoscope.providers.http import HttpProvider
from mutoscope.providers.port import SourceFile

QUESTION = Limits(connect_s=5, first_byte_s=30, silence_s=30, whole_s=60, body_bytes=32 * 1024 * 1024)
"""Answers about a job hold its whole workflow, and an older server's queue those of all that wait."""
NOT_THERE = frozenset({404, 405})
"""How a server says that it does not have a path."""


class Server(HttpProvider):
    """One server. ``base`` is its address."""

    title = "ComfyUI"

    def __init__(self, base: str) -> None:
        self.base = base
        self.outgoing = Outgoing(Destination(name="comfyui", base_url=base, own_network=True), limits=QUESTION)
        self.progress = Progress(self.outgoing)

    async def waiting(self) -> int:
        """How many jobs are at it, whosever they are. Raises ProviderError."""
        with in_words(self.title):
            return (await self.ask("GET", "/prompt")).json(wire.Rooms).exec_info.queue_remaining

    async def job(self, id: str) -> wire.Job | None:
        """How a job stands; None when it never had it, or was started anew since. Raises ProviderError."""
        with in_words(self.title):
            answer = await self.outgoing.ask("GET", f"/api/jobs/{quoted(id)}")
            if answer.ok:
                return answer.json(wire.Job)
            if answer.status not in NOT_THERE:
                raise self.refusal(answer, "question")
            return None if wire.is_no_such_job(answer) else await self._job_of_old(id)

    async def order(self, graph: object, id: str) -> str:
        """Order it, once. Returns the job's id there. Raises ProviderError.

        No ``client_id`` goes along: so it tells everybody who listens how far it is, also after this process has ended.
        """
        with in_words(self.title, "submit"):
            body = Json({"prompt": graph, "prompt_id": id})
            return (await self.ask("POST", "/prompt", body=body, asked="submit")).json(wire.Taken).prompt_id

    async def upload(self, source: SourceFile, reference: str) -> str:
        """Bring a picture there. Returns its name for nodes. Raises ProviderError."""
        name = f"{reference}.{wire.SUFFIXES.get(source.mime_type, 'png')}"
        form = Form(
            (
                FilePart("image", source.path, name, source.mime_type),
                Field("type", "input"),
                Field("subfolder", wire.FOLDER),
                Field("overwrite", "true"),
            )
        )
        with in_words(self.title, "upload"):
            answer = await self.ask("POST", "/upload/image", body=form, asked="upload", repeatable=True)
            return answer.json(wire.Uploaded).path

    async def stop(self, id: str) -> bool:
        """Ask to stop a job. Whether it says that it did; older ones do not say. Raises ProviderError."""
        with in_words(self.title):
            answer = await self.outgoing.ask("POST", f"/api/jobs/{quoted(id)}/cancel", repeatable=True)
            if answer.ok:
                return answer.json(wire.Stopped).cancelled
            if answer.status not in NOT_THERE:
                raise self.refusal(answer, "question")
            await self.ask("POST", "/queue", body=Json({"delete": [id]}), repeatable=True)
            if (await self._in_queue(id)) == "in_progress":
                # The oldest servers stop whatever they are at: only when that is this job.
                await self.ask("POST", "/interrupt", body=Json({"prompt_id": id}), repeatable=True)
            return False

    async def drop(self, id: str) -> None:
        """Take a job out of its history, and with it the prompt. Raises ProviderError."""
        self.progress.drop(id)
        await self.ask("POST", "/history", body=Json({"delete": [id]}), repeatable=True)

    async def version(self) -> str:
        """Which ComfyUI it is. Raises ProviderError."""
        with in_words(self.title):
            return (await self.ask("GET", "/system_stats")).json(wire.Stats).system.comfyui_version

    async def close(self) -> None:
        """Stop listening and close its connections."""
        await self.progress.close()
        await super().close()

    def kind_of(self, answer: Answer, asked: Asked) -> FailureKind | None:
        """A server without the path of orders is none, or none yet: whatever stands before it says so."""
        return FailureKind.UNAVAILABLE if asked == "submit" and answer.status in NOT_THERE else None

    def words_of(self, answer: Answer) -> str:
        """What is wrong with a workflow."""
        return wire.words_of(answer)

    async def _in_queue(self, id: str) -> str | None:
        return wire.standing_in((await self.ask("GET", "/queue")).json(wire.Queue), id)

    async def _job_of_old(self, id: str) -> wire.Job | None:
        # The queue comes first: what leaves it meanwhile is in the history then.
        if (status := await self._in_queue(id)) is not None:
            return wire.Job(status=status)
        past = (await self.ask("GET", f"/history/{quoted(id)}")).json(dict[str, wire.Past])
        return wire.job_of(past[id]) if id in past else None
