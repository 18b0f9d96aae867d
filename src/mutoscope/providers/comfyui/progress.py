"""How far jobs are, as their server says while it makes them. Best effort: what is missed here costs a better bar, no more."""

import asyncio
import contextlib
import secrets
from contextlib import aclosing

import msgspec

from mutoscope.outgoing import Outgoing, OutgoingError, messages

IDLE_S = 120.0
"""For how long it listens after it was last asked. Polls are at most 30 s apart."""
PAUSE_S, PAUSE_CAP_S = 1.0, 60.0
JOBS_MAX = 256


class Step(msgspec.Struct):
    """How far a node is. ``prompt_id`` is there where it stands alone."""

    value: float = 0
    max: float = 0
    prompt_id: str | None = None
    node: str | None = None


class Steps(msgspec.Struct):
    """How far the nodes of a job are."""

    prompt_id: str
    nodes: dict[str, Step]


class Said(msgspec.Struct):
    """A message."""

    type: str = ""
    data: msgspec.Raw = msgspec.Raw(b"{}")


class Progress:
    """Listens to one server while somebody asks."""

    def __init__(self, outgoing: Outgoing) -> None:
        self._outgoing = outgoing
        self._jobs: dict[str, dict[str, float]] = {}
        self._asked_s = 0.0
        self._task: asyncio.Task[None] | None = None

    def of(self, id: str, samplers: int) -> float | None:
        """How far a job is, 0 to 1; None when nothing was heard of it yet. ``samplers``: how many nodes go in steps."""
        self._asked_s = _now_s()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._listen())
        if id not in self._jobs:
            self._jobs[id] = {}
            while len(self._jobs) > JOBS_MAX:
                del self._jobs[next(iter(self._jobs))]
        parts = self._jobs[id]
        return sum(parts.values()) / max(samplers, len(parts)) if parts else None

    def drop(self, id: str) -> None:
        """Nobody asks after that job any more."""
        self._jobs.pop(id, None)

    async def close(self) -> None:
        """Stop listening."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _listen(self) -> None:
        pause_s = PAUSE_S
        while self._wanted():
            try:
                # A name of its own: the server forgets whoever had the same.
                address = f"/ws?clientId=mutoscope-{secrets.token_hex(8)}"
                async with aclosing(messages(self._outgoing, address)) as texts:
                    while self._wanted():
                        async with asyncio.timeout(IDLE_S):
                            text = await anext(texts)
                        self._take(text)
                        pause_s = PAUSE_S
            except (OutgoingError, TimeoutError, StopAsyncIteration):
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, PAUSE_CAP_S)

    def _wanted(self) -> bool:
        return _now_s() - self._asked_s < IDLE_S

    def _take(self, text: str) -> None:
        try:
            said = msgspec.json.decode(text, type=Said)
            if said.type == "progress_state":
                steps = msgspec.json.decode(said.data, type=Steps)
                self._note(steps.prompt_id, steps.nodes)
            elif said.type == "progress":
                step = msgspec.json.decode(said.data, type=Step)
                if step.prompt_id is not None and step.node is not None:
                    self._note(step.prompt_id, {step.node: step})
        except msgspec.DecodeError:
            return

    def _note(self, id: str, nodes: dict[str, Step]) -> None:
        if id in self._jobs:
            # A node that is done in one step says nothing of the time that is left.
            parts = {node: min(max(step.value / step.max, 0), 1) for node, step in nodes.items() if step.max > 1}
            self._jobs[id] |= parts


def _now_s() -> float:
    return asyncio.get_running_loop().time()
