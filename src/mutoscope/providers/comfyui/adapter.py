"""ComfyUI: a pool of servers that share the work.

A job's id there is made from our reference, so that an order whose answer was lost is looked up, and sent again only
where nobody has it. A server keeps its jobs in memory: one that is started anew has lost them, and they are made again.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing

from mutoscope.domain.generation import FailureKind, Output, ProviderJob
from mutoscope.outgoing import Outgoing
from mutoscope.providers.answers import MESSAGES, SAID_CHARS
from mutoscope.providers.comfyui import wire
from mutoscope.providers.comfyui.server import Server
from mutoscope.providers.comfyui.workflow import NotAWorkflow, Workflow, Workflows, filled
from mutoscope.providers.port import (
    Accepted,
    Canceled,
    Finished,
    Gone,
    Order,
    Pending,
    ProviderError,
)

TITLE = "ComfyUI"
JOBS_PER_SERVER = 2
"""One is made while the next waits: a server makes one at a time."""
NOT_RIGHT = "The workflow of this model is not right, or not there. Your tokens are back; the operator of this studio has to mend it."
FAILED = "ComfyUI failed while it made this. Your tokens are back; try it again, or with other settings."

Found = tuple[Server, wire.Job]


class ComfyProvider:
    """The pool. ``bases`` are the servers' addresses, ``slots`` how many jobs may be at all of them together."""

    name = "comfyui"
    minimum_poll_ms = 1_000
    idempotent_by_reference = repeats_free = True
    elsewhere = True
    """All servers are the operator's own."""

    def __init__(self, bases: Sequence[str], workflows: Workflows, slots: int | None = None) -> None:
        self._servers = {base: Server(base) for base in bases}
        self._workflows = workflows
        self.slots = slots or JOBS_PER_SERVER * len(bases)

    @property
    def pool(self) -> Mapping[str, Outgoing]:
        """The ways out, by the address of the server."""
        return {base: server.outgoing for base, server in self._servers.items()}

    async def submit(self, order: Order) -> Accepted:
        """Look for the job at all servers; where none has it, order it at the one with the fewest jobs."""
        id = wire.id_for(order.reference)
        try:
            workflow = await asyncio.to_thread(self._workflows.read, order.upstream)
            found, free = await self._survey(id)
            if found is not None:
                return Accepted(job=_job(found[0], id, order.reference, workflow))
            server = min(free, key=lambda one: (free[one], _rank(one.base, order.reference)))
            image = await server.upload(order.source, order.reference) if order.source else None
            graph = filled(workflow, order, image)
        except NotAWorkflow as e:
            raise ProviderError(FailureKind.INVALID, NOT_RIGHT, str(e)) from None
        return Accepted(job=_job(server, await server.order(graph, id), order.reference, workflow))

    async def poll(self, job: ProviderJob) -> Pending | Finished | Canceled:
        """How it stands. Raises ``expired`` when its server no longer has it, ``unavailable`` while that one is down."""
        found = await self._found(job)
        if found is None:
            raise _error(FailureKind.EXPIRED, "no server has the job: it was started anew, or is no longer named")
        return _standing(*found, job)

    async def open(self, output: Output) -> AsyncIterator[bytes]:
        """The bytes of a file."""
        assert output.url is not None
        server = next((one for base, one in self._servers.items() if output.url.startswith(f"{base}/view?")), None)
        if server is None:
            raise _error(FailureKind.EXPIRED, "its server is no longer named")
        async with aclosing(server.open(output)) as chunks:  # pyright: ignore[reportArgumentType]  # it is a generator
            async for chunk in chunks:
                yield chunk

    async def cancel(self, job: ProviderJob) -> Canceled | Finished | Pending:
        """Take it out of the queue, or interrupt it. What no server has any more is canceled too."""
        found = await self._found(job)
        if found is None:
            return Canceled()
        server = found[0]
        if await server.stop(job.id):
            return Canceled()
        left = await server.job(job.id)
        return Canceled() if left is None else _standing(server, left, job)

    async def find(self, reference: str) -> ProviderJob | Gone:
        """Ask all servers. Raises ``unavailable`` when the one that may have it is down."""
        id = wire.id_for(reference)
        found = await self._everywhere(id)
        return Gone() if found is None else _job(found[0], id, reference)

    async def forget(self, job: ProviderJob) -> None:
        """Take it out of its server's history. Files stay there: ComfyUI has no way to remove them."""
        server = self._servers.get(job.data.get("server", ""))
        if server is not None:
            await server.drop(job.id)

    async def verify_webhook(self, headers: Mapping[str, str], body: bytes) -> str:
        """It calls nobody: whoever calls is not this provider."""
        raise _error(FailureKind.UNAUTHORIZED, "it sends no webhooks")

    def job_of_webhook(self, reference: str, body: bytes) -> ProviderJob | None:
        """No webhook names one."""
        return None

    async def check(self) -> str:
        """Which servers answer, and which workflows of the operator's cannot be used. Raises ProviderError when none does."""
        servers = list(self._servers.values())
        said = await asyncio.gather(*(one.version() for one in servers), return_exceptions=True)
        errors = _errors(said)
        if len(errors) == len(servers):
            raise errors[0]
        up = [f"{one.base} is ComfyUI {v}" for one, v in zip(servers, said, strict=True) if isinstance(v, str)]
        down = [e.detail or e.message for e in errors]
        return "; ".join([*up, *down, *await asyncio.to_thread(self._workflows.broken)])

    async def close(self) -> None:
        """Let go of all servers."""
        for server in self._servers.values():
            await server.close()

    async def _found(self, job: ProviderJob) -> Found | None:
        server = self._servers.get(job.data.get("server", ""))
        if server is None:
            # Its address was changed, or it is no longer named: another address may lead to it.
            return await self._everywhere(job.id)
        there = await server.job(job.id)
        return None if there is None else (server, there)

    async def _everywhere(self, id: str) -> Found | None:
        servers = list(self._servers.values())
        said = await asyncio.gather(*(one.job(id) for one in servers), return_exceptions=True)
        errors = _errors(said)
        for server, there in zip(servers, said, strict=True):
            if isinstance(there, wire.Job):
                return server, there
        if errors:
            raise errors[0]
        return None

    async def _survey(self, id: str) -> tuple[Found | None, dict[Server, int]]:
        """The server that has a job, or else those that answer and how many jobs each has. Raises when none answers."""
        servers = list(self._servers.values())
        said = await asyncio.gather(*(_look(one, id) for one in servers), return_exceptions=True)
        errors, free = _errors(said), dict[Server, int]()
        for server, found in zip(servers, said, strict=True):
            if isinstance(found, wire.Job):
                return (server, found), {}
            if isinstance(found, int):
                free[server] = found
        if not free:
            raise errors[0]
        return None, free


async def _look(server: Server, id: str) -> wire.Job | int:
    there = await server.job(id)
    return there if there is not None else await server.waiting()


def _errors(said: Sequence[object]) -> list[ProviderError]:
    """Those among what `asyncio.gather` gave; what is no ProviderError is raised."""
    for one in said:
        if isinstance(one, BaseException) and not isinstance(one, ProviderError):
            raise one
    return [one for one in said if isinstance(one, ProviderError)]


def _standing(server: Server, found: wire.Job, job: ProviderJob) -> Pending | Finished | Canceled:
    match found.status:
        case "completed":
            server.progress.drop(job.id)
            return Finished(outputs=wire.outputs_of(found, server.base))
        case "failed":
            server.progress.drop(job.id)
            detail = str(found.execution_error)[:SAID_CHARS] if found.execution_error else "it does not say why"
            raise ProviderError(FailureKind.UNUSABLE, FAILED, detail)
        case "cancelled":
            server.progress.drop(job.id)
            return Canceled()
        case "in_progress":
            return Pending(progress=server.progress.of(job.id, int(job.data.get("samplers", "1"))))
        case _:
            # It waits; or this is a word that nobody knows yet.
            return Pending()


def _job(server: Server, id: str, reference: str, workflow: Workflow | None = None) -> ProviderJob:
    samplers = workflow.samplers if workflow else 1
    return ProviderJob(id=id, reference=reference, data={"server": server.base, "samplers": str(samplers)})


def _rank(base: str, reference: str) -> bytes:
    return hashlib.sha256(f"{base} {reference}".encode()).digest()


def _error(kind: FailureKind, detail: str) -> ProviderError:
    return ProviderError(kind, MESSAGES[kind].format(title=TITLE), detail)
