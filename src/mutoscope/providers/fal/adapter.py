"""One account at fal, or at a server that speaks the same."""

import asyncio
import base64
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from mutoscope.domain.generation import FailureKind, ProviderJob
from mutoscope.domain.ids import Clock, SystemClock
from mutoscope.outgoing import Answer, Destination, Json, NotAllowed, Outgoing
from mutoscope.providers.answers import MESSAGES, Asked, in_words
from mutoscope.providers.fal import errors, wire
from mutoscope.providers.fal.webhook import Keys, delivery_of
from mutoscope.providers.http import HttpProvider
from mutoscope.providers.port import Accepted, Canceled, Finished, Order, Pending, ProviderError, SourceFile
from mutoscope.providers.signing import CannotSay

HOST = "https://queue.fal.run"
KEYS_HOST = "https://rest.fal.ai"
RESULT_HOSTS = ("fal.media", "*.fal.media", "storage.googleapis.com")
"""fal's own stores; some models still keep their results in the older one, a bucket."""
KEPT_S = 7 * 24 * 3600
"""How long fal keeps a result at its public address: as long as fal promises by itself, and then no longer."""
PICTURE_BYTES = 4 * 1024 * 1024
PICTURE_MESSAGE = "The source picture is too large for fal: at most 4 MB. Choose a smaller one."
TRIED = "/fal-ai/flux/requests/00000000-0000-0000-0000-000000000000/status"
"""A request that nobody made."""

Address = Literal["status_url", "response_url", "cancel_url"]


class FalProvider(HttpProvider):
    """The queue."""

    name, title = "fal", "fal"
    minimum_poll_ms = 2_000
    idempotent_by_reference = False
    repeats_free = False

    def __init__(self, key: str, base: str = HOST, slots: int = 8, clock: Clock | None = None) -> None:
        self.slots, self.elsewhere = slots, base != HOST
        self.outgoing = Outgoing(
            Destination(
                name=self.name,
                base_url=base,
                hosts=RESULT_HOSTS,
                own_network=self.elsewhere,
                headers={"Authorization": f"Key {key}"},
            )
        )
        # A way out of its own, without the key.
        published = base if self.elsewhere else KEYS_HOST
        self._keys_out = Outgoing(Destination(name=self.name, base_url=published, own_network=self.elsewhere))
        self._clock = clock or SystemClock()
        self._keys = Keys(self._keys_out, self._clock)

    async def submit(self, order: Order) -> Accepted:
        """Queue it."""
        picture = await self._picture(order.source) if order.source else None
        headers = {"X-Fal-Object-Lifecycle-Preference": f'{{"expiration_duration_seconds": {KEPT_S}}}'}
        with in_words(self.title):
            path = wire.order_path(order)
        answer = await self.ask("POST", path, body=Json(wire.body_of(order, picture)), headers=headers, asked="submit")
        with in_words(self.title, "submit"):
            begun = answer.json(wire.Begun)
        data = {"upstream": order.upstream}
        for what in ("status_url", "response_url", "cancel_url"):
            # Only to where the key goes; else, and for a gateway that says fal's own, to where fal documents it.
            if (given := getattr(begun, what)).startswith(f"{self.outgoing.destination.base_url}/"):
                data[what] = given
        return Accepted(job=ProviderJob(id=begun.request_id, reference=order.reference, data=data))

    async def poll(self, job: ProviderJob) -> Pending | Finished | Canceled:
        """How it stands, and once it is completed its result: only that says whether it was made."""
        answer = await self.ask("GET", self._address(job, "status_url"))
        with in_words(self.title):
            standing = answer.json(wire.Standing)
        if standing.status != wire.COMPLETED:
            return Pending()
        said = errors.said_by(standing.error_type, standing.error)
        if errors.is_cancel(said.types):
            return Canceled()
        if errors.is_known(said.types):
            raise self._failed(errors.kind_of_types(said.types), said)
        return await self._result(job, said)

    async def cancel(self, job: ProviderJob) -> Canceled | Finished | Pending:
        """What waits is taken from the queue; what a model has begun it may stop or finish, which is asked again."""
        with in_words(self.title):
            address = self._address(job, "cancel_url")
            answer = await self.outgoing.ask("PUT", address, repeatable=True)
        # Two of the four answers are errors for HTTP.
        match _stopped(answer):
            case "OK" | "NOT_FOUND":
                return Canceled()
            case "ALREADY_COMPLETED":
                return await self.poll(job)
            case _ if answer.ok:
                return Pending()
            case _:
                raise self.refusal(answer, "question")

    async def verify_webhook(self, headers: Mapping[str, str], body: bytes) -> str:
        """The id of the request that it is about: there is one call for each, however often it is sent."""
        delivery = delivery_of(headers, body, self._clock.now())
        if delivery is not None:
            try:
                with in_words(self.title):
                    is_signed = await self._keys.signed(delivery)
            except CannotSay as e:
                raise self.error(FailureKind.UNAVAILABLE, str(e)) from None
            if is_signed:
                return delivery.request_id
        raise self.error(FailureKind.UNAUTHORIZED, "the call is not signed by fal, or too old")

    def job_of_webhook(self, reference: str, body: bytes) -> ProviderJob | None:
        """The request by its id. Where to ask for it follows from the model, which who keeps the job adds."""
        try:
            called = msgspec.json.decode(body, type=wire.Called)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        return ProviderJob(id=called.request_id, reference=reference)

    async def check(self) -> str:
        """Ask for a request that nobody made. Raises ProviderError."""
        with in_words(self.title):
            answer = await self.outgoing.ask("GET", TRIED)
        # That there is no such request is the answer to those whose key is right.
        if not answer.ok and not errors.is_no_such_request(answer):
            raise self.refusal(answer, "question")
        return "the key was not refused"

    def kind_of(self, answer: Answer, asked: Asked) -> FailureKind | None:
        """By `errors`."""
        return errors.kind_of(answer, asked)

    def words_of(self, answer: Answer) -> str:
        """Its types and its words."""
        return str(errors.problem_of(answer))

    async def close(self) -> None:
        """Close its connections."""
        await super().close()
        await self._keys_out.close()

    async def _result(self, job: ProviderJob, said: errors.Problem) -> Pending | Finished | Canceled:
        """The result, or the answer in its place, which may know more than ``said``."""
        with in_words(self.title):
            answer = await self.outgoing.ask("GET", self._address(job, "response_url"))
            if answer.ok and said == errors.NOTHING:
                return self._finished(answer)
        problem = errors.problem_of(answer)
        if errors.is_cancel(problem.types):
            return Canceled()
        if errors.is_early(answer.status, problem):
            return Pending()
        kind = errors.ended(answer, said)
        if kind is None:
            raise self.refusal(answer, "question")
        raise self._failed(kind, said if problem == errors.NOTHING else problem)

    def _finished(self, answer: Answer) -> Finished:
        results = wire.results_of(answer.json(dict[str, Any]))
        message = MESSAGES[FailureKind.MODERATED].format(title=self.title)
        return Finished(outputs=results.outputs, withheld=message if results.withheld else "")

    def _failed(self, kind: FailureKind, problem: errors.Problem) -> ProviderError:
        return self.error(kind, str(problem))

    def _address(self, job: ProviderJob, what: Address) -> str:
        """Where to ask: what fal said, or for a request that was found by its id what fal documents."""
        try:
            return job.data.get(what) or wire.request_path(job.data["upstream"], job.id, what)
        except (KeyError, NotAllowed):
            raise self.error(FailureKind.UNAVAILABLE, "nothing says of which model the request is") from None

    async def _picture(self, source: SourceFile) -> str:
        """A picture as an address that holds it: the studio may have none that fal could reach."""
        if source.path.stat().st_size > PICTURE_BYTES:
            raise ProviderError(FailureKind.INVALID, PICTURE_MESSAGE)
        content = await asyncio.to_thread(source.path.read_bytes)
        return f"data:{source.mime_type};base64,{base64.b64encode(content).decode()}"


def _stopped(answer: Answer) -> str:
    try:
        return msgspec.json.decode(answer.body, type=wire.Stopped).status
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
