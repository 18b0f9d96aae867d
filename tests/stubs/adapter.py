"""The stub behind the provider port, for tests only."""

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx2

from mutoscope.domain.generation import FailureKind, Output, ProviderJob
from mutoscope.providers.port import (
    Accepted,
    Canceled,
    CannotTell,
    Finished,
    Gone,
    Order,
    Pending,
    ProviderError,
)

TRIES_AGAIN = {429: FailureKind.RATE_LIMITED, 500: FailureKind.UNAVAILABLE, 503: FailureKind.UNAVAILABLE}
CHUNK_BYTES = 64 * 1024


class StubProvider:
    """An adapter for `stubs.counting`. ``script`` in a job's parameters says how the stub treats that job."""

    def __init__(
        self,
        address: str,
        name: str = "stub",
        slots: int = 16,
        minimum_poll_ms: int = 20,
        idempotent_by_reference: bool = False,
        can_be_asked: bool = True,
        repeats_free: bool = False,
        timeout_s: float = 5.0,
    ) -> None:
        self.address = address
        self.name, self.slots, self.minimum_poll_ms = name, slots, minimum_poll_ms
        self.idempotent_by_reference, self.can_be_asked = idempotent_by_reference, can_be_asked
        self.repeats_free, self.elsewhere = repeats_free, False
        self.forgotten: list[str] = []
        self.opened: list[str] = []
        self._http = httpx2.AsyncClient(base_url=address, timeout=timeout_s, trust_env=False)

    async def submit(self, order: Order) -> Accepted | Finished:
        script = order.parameters.get("script")
        wish = {
            "reference": order.reference,
            "kind": order.kind,
            "results": order.results,
            "prompt": order.prompt,
            "source_bytes": order.source.path.stat().st_size if order.source else None,
            "script": json.loads(script) if isinstance(script, str) else script,
        }
        headers = {"Idempotency-Key": order.reference} if self.idempotent_by_reference else {}
        try:
            response = await self._http.post("/jobs", json=wish, headers=headers)
        except httpx2.ConnectError as e:
            raise ProviderError(FailureKind.UNAVAILABLE, "The stub is not there.") from e
        except httpx2.HTTPError as e:
            raise ProviderError(FailureKind.AMBIGUOUS, "The stub did not answer.") from e
        answer = _read(response)
        if response.status_code == 200:
            return _finished(answer)
        return Accepted(job=ProviderJob(id=answer["id"], reference=order.reference))

    async def poll(self, job: ProviderJob) -> Pending | Finished | Canceled:
        return _status(await self._ask("GET", f"/jobs/{job.id}"))

    async def open(self, output: Output) -> AsyncIterator[bytes]:
        assert output.url is not None
        self.opened.append(output.url)
        try:
            async with self._http.stream("GET", output.url) as response:
                if response.status_code in (404, 410):
                    raise ProviderError(FailureKind.EXPIRED, "The stub's address is dead.")
                if response.status_code != 200:
                    raise ProviderError(FailureKind.UNAVAILABLE, "The stub does not give the bytes.")
                async for chunk in response.aiter_bytes(CHUNK_BYTES):
                    yield chunk
        except httpx2.HTTPError as e:
            raise ProviderError(FailureKind.UNAVAILABLE, "The stub's stream broke.") from e

    async def cancel(self, job: ProviderJob) -> Canceled | Finished | Pending:
        return _status(await self._ask("DELETE", f"/jobs/{job.id}"))

    async def find(self, reference: str) -> ProviderJob | Gone | CannotTell:
        if not self.can_be_asked:
            return CannotTell()
        try:
            response = await self._http.get("/jobs", params={"reference": reference})
        except httpx2.HTTPError as e:
            raise ProviderError(FailureKind.UNAVAILABLE, "The stub does not answer.") from e
        if response.status_code == 404:
            return Gone()
        if response.status_code == 405:
            return CannotTell()
        return ProviderJob(id=_read(response)["id"], reference=reference)

    async def forget(self, job: ProviderJob) -> None:
        self.forgotten.append(job.id)

    async def verify_webhook(self, headers: Mapping[str, str], body: bytes) -> str:
        raise ProviderError(FailureKind.UNAUTHORIZED, "The stub calls nobody.")

    def job_of_webhook(self, reference: str, body: bytes) -> ProviderJob | None:
        return None

    async def check(self) -> str | None:
        return f"the stub answers as {(await self._ask('GET', '/account'))['name']}"

    async def close(self) -> None:
        await self._http.aclose()

    async def counts(self) -> dict[str, dict[str, int]]:
        """How often the stub was asked and would have been paid, by reference."""
        return _read(await self._http.get("/admin/counts"))

    async def _ask(self, method: str, path: str) -> Any:
        try:
            return _read(await self._http.request(method, path))
        except httpx2.HTTPError as e:
            raise ProviderError(FailureKind.UNAVAILABLE, "The stub does not answer.") from e


def _read(response: httpx2.Response) -> Any:
    try:
        answer = response.json()
    except ValueError as e:
        raise ProviderError(FailureKind.AMBIGUOUS, "The stub answered with no JSON.") from e
    if response.status_code < 400:
        return answer
    wait = response.headers.get("Retry-After")
    kind = TRIES_AGAIN.get(response.status_code) or FailureKind(answer["error"])
    raise ProviderError(kind, answer["message"], retry_after_ms=round(float(wait) * 1000) if wait else None)


def _status(answer: dict[str, Any]) -> Pending | Finished | Canceled:
    match answer["status"]:
        case "running":
            return Pending(progress=answer["progress"])
        case "canceled":
            return Canceled()
        case "failed":
            raise ProviderError(FailureKind(answer["error"]), answer["message"])
        case _:
            return _finished(answer)


def _finished(answer: dict[str, Any]) -> Finished:
    outputs = tuple(Output(url=address) for address in answer["outputs"])
    return Finished(outputs=outputs, withheld=answer["withheld"])
