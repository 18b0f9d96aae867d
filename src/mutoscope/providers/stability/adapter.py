"""Stability AI's REST interface, v2beta (https://platform.stability.ai/docs/api-reference).

An image comes with the answer to its order. A film is asked for, and its bytes are the answer to a later question. Both
say in ``finish-reason`` whether the result was filtered, which Stability AI calls a success and blurs: here it is none.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

import msgspec

from mutoscope import __version__
from mutoscope.domain.generation import FailureKind, Output, ProviderJob
from mutoscope.domain.media import Kind
from mutoscope.outgoing import STREAMING, Answer, Arrival, Destination, Embedded, NotEmbedded, Outgoing, quoted
from mutoscope.providers.answers import MESSAGES, Asked, in_words
from mutoscope.providers.http import HttpProvider
from mutoscope.providers.port import Accepted, Canceled, Finished, Order, Pending
from mutoscope.providers.stability import wire

HOST = "https://api.stability.ai"
MAKING = msgspec.structs.replace(STREAMING, first_byte_s=300, whole_s=600)
"""An image is made while its order waits for the answer, and is that answer."""


class StabilityProvider(HttpProvider):
    """One account, at Stability AI or at a server that speaks the same."""

    name, title = "stability", "Stability AI"
    minimum_poll_ms = 10_000
    """Who polls a result more often may get errors instead."""
    idempotent_by_reference = False
    repeats_free = False

    def __init__(self, key: str, base: str = HOST, slots: int = 8) -> None:
        self.slots, self.elsewhere = slots, base != HOST
        headers = {
            "Authorization": f"Bearer {key}",
            "stability-client-id": "mutoscope",
            "stability-client-version": __version__,
        }
        self.outgoing = Outgoing(
            Destination(name=self.name, base_url=base, own_network=self.elsewhere, headers=headers)
        )

    async def submit(self, order: Order) -> Accepted | Finished:
        """An image is finished with the answer, a film is accepted."""
        # The job's name, not a person's, for when Stability AI has a question about a request.
        headers = {"stability-client-user-id": order.reference}
        if order.kind is Kind.VIDEO:
            answer = await self.ask("POST", wire.FILMS, body=wire.film_form(order), headers=headers, asked="submit")
            with in_words(self.title, "submit"):
                return Accepted(job=ProviderJob(id=wire.id_of(answer), reference=order.reference))
        path, form = wire.image_form(order)
        headers["Accept"] = "image/*"
        async with self.asking("POST", path, body=form, headers=headers, asked="submit", limits=MAKING) as arrival:
            if not wire.is_result(arrival.headers):
                raise self.error(FailureKind.AMBIGUOUS, f"{arrival.where} answered with neither a picture nor JSON")
            return Finished(outputs=(await order.keep(0, self._result(arrival, "image")),))

    async def poll(self, job: ProviderJob) -> Pending | Finished:
        """A finished film answers with its bytes; only what comes before them is read here."""
        path = f"{wire.FILMS}/result/{quoted(job.id)}"
        async with self.asking("GET", path, headers={"Accept": "video/*"}) as arrival:
            if arrival.status == 202:
                return Pending()
            if wire.is_filtered(arrival.headers.get("finish-reason")):
                return Finished(outputs=(), withheld=MESSAGES[FailureKind.MODERATED].format(title=self.title))
        return Finished(outputs=(Output(url=path, media_type="video/mp4"),))

    async def open(self, output: Output) -> AsyncIterator[bytes]:
        """The bytes of a film."""
        assert output.url is not None
        async with (
            self.asking("GET", output.url, headers={"Accept": "video/*"}, asked="result", limits=STREAMING) as arrival,
            aclosing(self._result(arrival, "video")) as chunks,
        ):
            async for chunk in chunks:
                yield chunk

    async def cancel(self, job: ProviderJob) -> Canceled | Finished:
        """Nothing stops a film: one that is not finished is left alone."""
        found = await self.poll(job)
        return Canceled() if isinstance(found, Pending) else found

    async def check(self) -> str:
        """What is left of the credit, which costs nothing to ask. Raises ProviderError."""
        with in_words(self.title):
            credits = wire.credits_of(await self.ask("GET", wire.BALANCE))
        if credits <= 0:
            raise self.error(FailureKind.OUT_OF_CREDIT)
        return f"the key is right; {credits:g} credits are left"

    def kind_of(self, answer: Answer, asked: Asked) -> FailureKind | None:
        """By `wire.ERRORS`."""
        return wire.kind_of(answer, asked)

    def words_of(self, answer: Answer) -> str:
        """Its list of errors."""
        return "; ".join(wire.problem_of(answer).errors)

    async def _result(self, arrival: Arrival, field: str) -> AsyncGenerator[bytes]:
        """The bytes, as they are or as base64 in JSON. Raises ``moderated`` at the end for what was filtered."""
        reason = arrival.headers.get("finish-reason")
        async with aclosing(arrival.chunks()) as chunks:
            if wire.is_json(arrival.headers):
                embedded = Embedded(chunks, [field])
                async for piece in _pieces(embedded, field):
                    yield piece
                reason = msgspec.convert(embedded.rest, wire.Result).finish_reason
            else:
                async for chunk in chunks:
                    yield chunk
        if wire.is_filtered(reason):
            raise self.error(FailureKind.MODERATED)


async def _pieces(embedded: Embedded, field: str) -> AsyncGenerator[bytes]:
    found = False
    async for _, pieces in embedded.files():
        found = True
        async for piece in pieces:
            yield piece
    if not found:
        raise NotEmbedded(f"there is no {field} in the JSON")
