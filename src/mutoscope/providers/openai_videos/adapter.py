"""OpenAI's videos interface (https://developers.openai.com/api/reference/resources/videos) at a server of one's own.

OpenAI itself ended it on 2026-09-24; vLLM-Omni, SGLang Diffusion, LiteLLM's proxy and others go on speaking it. A film
is ordered, asked for until it is done, and fetched. Servers keep their films in memory: one that was started again knows
nothing of them.
"""

from mutoscope.domain.generation import FailureKind, Output, ProviderJob
from mutoscope.outgoing import Answer, Destination, Outgoing
from mutoscope.providers.answers import SAID_CHARS, Asked, in_words
from mutoscope.providers.http import HttpProvider
from mutoscope.providers.openai_shape import MODELS, Problem, models_of, problem_of
from mutoscope.providers.openai_videos import wire
from mutoscope.providers.port import Accepted, Canceled, Finished, Order, Pending, ProviderError

FAILED = "{title} could not make this. Your tokens are back; try it again, or change the prompt or the settings."


class VideoServer(HttpProvider):
    """One server. ``name`` is the operator's name for it."""

    minimum_poll_ms = 1_000
    """As often as OpenAI's own client asks."""
    idempotent_by_reference = False
    repeats_free = False
    elsewhere = True

    def __init__(self, name: str, base: str, key: str | None, slots: int) -> None:
        self.name, self.title, self.slots = f"videos/{name}", f"Video server {name}", slots
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        # Some send on to a bucket, which can be any; it is never asked with the key.
        destination = Destination(
            name=self.name, base_url=base, any_public_host=True, own_network=True, headers=headers
        )
        self.outgoing = Outgoing(destination)

    async def submit(self, order: Order) -> Accepted:
        """The server takes the film, or refuses it, before it begins."""
        answer = await self.ask("POST", wire.VIDEOS, body=wire.film_form(order), asked="submit")
        video = wire.video_of(answer)
        if video is None:
            raise self.error(FailureKind.AMBIGUOUS, f"{answer.where} answered without an id")
        return Accepted(job=ProviderJob(id=video.id, reference=order.reference))

    async def poll(self, job: ProviderJob) -> Pending | Finished | Canceled:
        """How it stands; words that are not known are taken for "not yet"."""
        answer = await self.ask("GET", wire.path_of(job.id))
        video = wire.video_of(answer)
        if video is None:
            raise self.error(FailureKind.UNAVAILABLE, f"{answer.where} answered with something else than a film")
        match video.status:
            case "completed":
                url = video.url or f"{wire.path_of(job.id)}/content"
                return Finished(outputs=(Output(url=url, media_type="video/mp4"),))
            case "failed":
                raise self._failed(video.error)
            case "cancelled" | "canceled":
                return Canceled()
            case _:
                return Pending(progress=video.progress, poll_after_ms=wire.poll_after_ms(answer.headers))

    async def cancel(self, job: ProviderJob) -> Canceled | Finished | Pending:
        """What is finished stays. The rest is deleted, which stops it where the server can, else it is left alone."""
        try:
            found = await self.poll(job)
        except ProviderError as e:
            if e.kind is FailureKind.EXPIRED:
                # Deleted already: an answer to that may have been lost.
                return Canceled()
            raise
        if not isinstance(found, Pending):
            return found
        answer = await self._tried("DELETE", wire.path_of(job.id), wire.NOT_DELETED | {wire.STOPPING})
        return Pending() if answer.status == wire.STOPPING else Canceled()

    async def forget(self, job: ProviderJob) -> None:
        """Delete its copy."""
        await self.ask("DELETE", wire.path_of(job.id))

    async def check(self) -> str:
        """The models that it lists; a server without such a list has to list its films."""
        answer = await self._tried("GET", MODELS, wire.NO_LIST)
        if not answer.ok:
            await self.ask("GET", wire.NEWEST)
        return f"it answers, and has {', '.join(models_of(answer)) or 'models that it does not name'}"

    def kind_of(self, answer: Answer, asked: Asked) -> FailureKind | None:
        """By `wire.kind_of`."""
        return wire.kind_of(answer, asked)

    def words_of(self, answer: Answer) -> str:
        """Its error."""
        return problem_of(answer).said

    async def _tried(self, method: str, address: str, others: frozenset[int]) -> Answer:
        """An answer of success, or with one of the other statuses that are expected. Raises ProviderError."""
        with in_words(self.title):
            answer = await self.outgoing.ask(method, address, repeatable=True)
        if not answer.ok and answer.status not in others:
            raise self.refusal(answer, "question")
        return answer

    def _failed(self, error: Problem) -> ProviderError:
        """A film that failed there."""
        if error.moderated:
            return self.error(FailureKind.MODERATED, error.said[:SAID_CHARS])
        return ProviderError(FailureKind.UNUSABLE, FAILED.format(title=self.title), error.said[:SAID_CHARS])
