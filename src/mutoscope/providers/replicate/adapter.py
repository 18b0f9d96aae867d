"""Replicate's predictions (https://replicate.com/docs/reference/http).

A prediction is asked for, and asked about until it ends. Its files are kept for an hour.
"""

from collections.abc import Mapping

from mutoscope.domain.generation import FailureKind, ProviderJob
from mutoscope.domain.ids import Clock, SystemClock
from mutoscope.outgoing import Answer, Body, Destination, Json, Limits, Outgoing
from mutoscope.providers.answers import MESSAGES, SAID_CHARS, Asked, in_words
from mutoscope.providers.http import HttpProvider
from mutoscope.providers.port import (
    Accepted,
    Canceled,
    CannotTell,
    Finished,
    Gone,
    Order,
    Pending,
    ProviderError,
    SourceFile,
)
from mutoscope.providers.replicate import webhook, wire
from mutoscope.providers.replicate.model import input_of, upstream_of
from mutoscope.providers.signing import SIGNING, CannotSay

HOST = "https://api.replicate.com"
HOSTS = ("replicate.delivery", "*.replicate.delivery")
"""Where outputs are, in its own words."""
ANSWER = Limits(body_bytes=8 * 1024 * 1024)
"""A prediction has all its logs with it, and a page has the inputs of a hundred."""
PAGES = 3
"""Of the newest predictions, in which a lost one is looked for: 300, as many as may be asked for in half a minute."""
FAILED = "{title} could not make this. Your tokens are back; try it again, or with other settings."


class ReplicateProvider(HttpProvider):
    """One account, at Replicate or at a server that speaks the same."""

    name, title = "replicate", "Replicate"
    minimum_poll_ms = 2_000
    idempotent_by_reference = False
    repeats_free = False

    def __init__(self, token: str, base: str = HOST, slots: int = 16, clock: Clock | None = None) -> None:
        self.slots, self.elsewhere, self._clock = slots, base != HOST, clock or SystemClock()
        key = {"Authorization": f"Bearer {token}"}
        self.outgoing = Outgoing(
            Destination(name=self.name, base_url=base, hosts=HOSTS, own_network=self.elsewhere, headers=key),
            limits=ANSWER,
        )
        self._secret = webhook.Secret(self._ask_secret, self._clock)

    async def submit(self, order: Order) -> Accepted:
        """Upload the source picture, then ask, once."""
        upstream, data = upstream_of(order.upstream), dict[str, str]()
        with in_words(self.title, "submit"):
            path = upstream.path
        image: str | None = None
        if order.source is not None:
            data["file"], image = await self._upload(order.source)
        wish = {"version": f"{upstream.model}:{upstream.version}"} if upstream.version else {}
        wish |= {"input": input_of(order, upstream, image)}
        if order.webhook_url is not None and order.webhook_url.startswith("https://"):
            wish |= {"webhook": order.webhook_url, "webhook_events_filter": ["completed"]}
        found = await self._prediction("POST", path, body=Json(wish), asked="submit")
        return Accepted(job=ProviderJob(id=found.id, reference=order.reference, data=data))

    async def poll(self, job: ProviderJob) -> Pending | Finished | Canceled:
        """A status that nobody knows is none that ends it."""
        with in_words(self.title):
            path = wire.path_of(job.id)
        found = await self._prediction("GET", path)
        match found.status:
            case "succeeded":
                return self._finished(found)
            case "failed":
                raise self._failed(found)
            case "canceled" | "aborted":
                # Aborted: over before it began to run.
                return Canceled()
            case _:
                return Pending(progress=wire.progress_of(found))

    async def cancel(self, job: ProviderJob) -> Pending | Finished | Canceled:
        """Ask to stop, then how it stands: what it says to a cancel of one that is over is not documented."""
        refused: ProviderError | None = None
        with in_words(self.title):
            path = f"{wire.path_of(job.id)}/cancel"
        try:
            await self.ask("POST", path, repeatable=True)
        except ProviderError as e:
            refused = e
        found = await self.poll(job)
        if refused is not None and refused.kind is not FailureKind.EXPIRED and isinstance(found, Pending):
            raise refused
        return found

    async def find(self, reference: str) -> ProviderJob | Gone | CannotTell:
        """Among the newest predictions, by the address that it was told to call; one without says nothing."""
        address: str | None = wire.PREDICTIONS
        for _ in range(PAGES):
            with in_words(self.title):
                page = (await self.ask("GET", address)).json(wire.Page)
            for found in page.results:
                if (found.webhook or "").endswith(f"/{reference}"):
                    return ProviderJob(id=found.id, reference=reference)
            address = page.next
            if not address:
                break
        return CannotTell()

    async def forget(self, job: ProviderJob) -> None:
        """The source picture goes; the rest goes by itself."""
        if id := job.data.get("file"):
            with in_words(self.title):
                await self.ask("DELETE", wire.file_path(id), repeatable=True)

    async def verify_webhook(self, headers: Mapping[str, str], body: bytes) -> str:
        """By the account's own secret."""
        try:
            call = webhook.call_of(headers, body, self._clock.now())
            is_right = await self._secret.fits(call)
        except webhook.NotSigned as e:
            raise self.error(FailureKind.UNAUTHORIZED, str(e)) from None
        except CannotSay as e:
            raise self.error(FailureKind.UNAVAILABLE, str(e)) from None
        except ProviderError as e:
            # Also when it is our token that is refused: nothing is said of the call.
            raise self.error(FailureKind.UNAVAILABLE, e.detail) from None
        if not is_right:
            raise self.error(FailureKind.UNAUTHORIZED, "the signature does not fit")
        return call.id

    def job_of_webhook(self, reference: str, body: bytes) -> ProviderJob | None:
        """The prediction that the call is about, unless it was told to call for another job."""
        found = wire.prediction_in(body)
        if found is None or (found.webhook is not None and not found.webhook.endswith(f"/{reference}")):
            return None
        return ProviderJob(id=found.id, reference=reference)

    async def check(self) -> str:
        """Whose token it is, which costs nothing to ask. What is left of the credit it does not tell."""
        with in_words(self.title):
            name = (await self.ask("GET", wire.ACCOUNT)).json(wire.Account).username
        return f"the token is right; it is that of {name}" if name else "the token is right"

    def kind_of(self, answer: Answer, asked: Asked) -> FailureKind | None:
        """By `wire.ERRORS`."""
        return wire.kind_of(answer, asked)

    def words_of(self, answer: Answer) -> str:
        """Its title and detail."""
        return wire.words_of(answer)

    def refusal(self, answer: Answer, asked: Asked) -> ProviderError:
        """With the time to wait, also where only the words say it."""
        error = super().refusal(answer, asked)
        error.retry_after_ms = error.retry_after_ms or wire.retry_after_ms(answer)
        return error

    async def _prediction(
        self, method: str, path: str, *, body: Body | None = None, asked: Asked = "question"
    ) -> wire.Prediction:
        with in_words(self.title, asked):
            return (await self.ask(method, path, body=body, asked=asked)).json(wire.Prediction)

    async def _upload(self, source: SourceFile) -> tuple[str, str]:
        """The file's id, and its address for a model. Nothing is ordered yet: whatever fails, the order was not taken."""
        form = wire.file_form(source)
        with in_words(self.title, "upload"):
            uploaded = (await self.ask("POST", wire.FILES, body=form, asked="upload", repeatable=True)).json(
                wire.Uploaded
            )
        return uploaded.id, uploaded.urls.get

    async def _ask_secret(self) -> str:
        with in_words(self.title):
            return (await self.ask("GET", wire.SECRET, repeatable=False, limits=SIGNING)).json(wire.Secret).key

    def _finished(self, found: wire.Prediction) -> Finished:
        outputs = wire.outputs_of(found)
        if not outputs and found.data_removed:
            raise self.error(FailureKind.EXPIRED, "its output was removed")
        # Models drop what their safety check refuses and say so in the logs alone.
        is_withheld = wire.is_moderated(wire.text_of(found.logs))
        message = MESSAGES[FailureKind.MODERATED].format(title=self.title) if is_withheld else ""
        return Finished(outputs=outputs, withheld=message)

    def _failed(self, found: wire.Prediction) -> ProviderError:
        words = wire.text_of(found.error)
        if wire.is_moderated(words):
            return self.error(FailureKind.MODERATED, words[:SAID_CHARS])
        return ProviderError(FailureKind.UNUSABLE, FAILED.format(title=self.title), words[:SAID_CHARS])
