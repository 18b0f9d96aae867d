"""OpenAI's images interface (https://developers.openai.com/api/reference/resources/images), there or at another server.

Pictures come as base64 inside the one answer to their order, after as long as they take. There is nothing to ask for
later: an answer that is lost is lost.
"""

from contextlib import aclosing

from msgspec.structs import replace

from mutoscope.domain.generation import FailureKind, Output, ProviderJob
from mutoscope.outgoing import STREAMING, Answer, Arrival, Destination, Embedded, Outgoing
from mutoscope.providers import openai_shape
from mutoscope.providers.answers import MESSAGES, Asked, in_words
from mutoscope.providers.http import HttpProvider
from mutoscope.providers.openai_images import wire
from mutoscope.providers.openai_shape import MODELS, models_of, problem_of
from mutoscope.providers.port import Canceled, Finished, Order

HOST = "https://api.openai.com/v1"
MAKING = replace(STREAMING, first_byte_s=600, whole_s=900)
"""Pictures are made while their order waits for the answer; OpenAI's own client waits for 600 s."""


class OpenAIImages(HttpProvider):
    """One account, at OpenAI or at a server that speaks the same."""

    name, title = "openai", "OpenAI"
    minimum_poll_ms = 1_000
    idempotent_by_reference = False
    repeats_free = False

    def __init__(self, key: str, base: str = HOST, slots: int = 8) -> None:
        self.slots, self.elsewhere = slots, base != HOST
        headers = {"Authorization": f"Bearer {key}"}
        self.outgoing = Outgoing(
            Destination(name=self.name, base_url=base, own_network=self.elsewhere, headers=headers)
        )

    async def submit(self, order: Order) -> Finished:
        """The pictures are there with the answer."""
        path, body = wire.request_of(order)
        async with self.asking("POST", path, body=body, asked="submit", limits=MAKING) as arrival:
            if not wire.is_json(arrival.headers):
                raise self.error(FailureKind.AMBIGUOUS, f"{arrival.where} answered with something else than JSON")
            outputs = await self._kept(arrival, order)
        fewer = outputs and len(outputs) < order.results
        return Finished(
            outputs=outputs, withheld=MESSAGES[FailureKind.MODERATED].format(title=self.title) if fewer else ""
        )

    async def poll(self, job: ProviderJob) -> Finished:
        """Nothing is ever asked for later."""
        raise self.error(FailureKind.EXPIRED, "a picture comes with the answer to its order alone")

    async def cancel(self, job: ProviderJob) -> Canceled:
        """There is no job there to stop."""
        return Canceled()

    async def check(self) -> str:
        """The models for images that the key may use; a key may be one that must not list them."""
        with in_words(self.title):
            answer = await self.outgoing.ask("GET", MODELS)
        if answer.status == 403:
            return "the key is known, and may not list models"
        if not answer.ok:
            raise self.refusal(answer, "question")
        named = [name for name in models_of(answer) if self.elsewhere or "image" in name]
        return f"the key is right, for {', '.join(named) or 'models without names'}"

    def kind_of(self, answer: Answer, asked: Asked) -> FailureKind | None:
        """By the words of the error, where they say more than the status."""
        return openai_shape.kind_of(answer) if asked == "submit" else None

    def words_of(self, answer: Answer) -> str:
        """Its error."""
        return problem_of(answer).said

    async def _kept(self, arrival: Arrival, order: Order) -> tuple[Output, ...]:
        """Each picture of an answer in a file of its own, as it comes in."""
        outputs: list[Output] = []
        async with aclosing(arrival.chunks()) as chunks, aclosing(Embedded(chunks, [wire.PICTURES]).files()) as files:
            async for _, pieces in files:
                if len(outputs) < order.results:
                    outputs.append(await order.keep(len(outputs), pieces))
        return tuple(outputs)
