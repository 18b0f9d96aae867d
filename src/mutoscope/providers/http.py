"""What adapters over HTTP share: asking with the provider's own table of errors, and answers to what most do not have."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager

from mutoscope.domain.generation import FailureKind, Output, ProviderJob
from mutoscope.outgoing import STREAMING, Answer, Arrival, Body, Limits, Outgoing
from mutoscope.providers.answers import MESSAGES, Asked, in_words, refusal
from mutoscope.providers.port import CannotTell, Gone, ProviderError


class HttpProvider:
    """The base of an adapter. ``title`` is the provider's name for people."""

    title: str
    outgoing: Outgoing

    def kind_of(self, answer: Answer, asked: Asked) -> FailureKind | None:
        """What an answer that is no success means, where it is not what `answers` says: the provider's own table."""
        return None

    def words_of(self, answer: Answer) -> str:
        """The provider's own words in such an answer, for the administrator."""
        return ""

    @asynccontextmanager
    async def asking(
        self,
        method: str,
        address: str,
        *,
        body: Body | None = None,
        headers: Mapping[str, str] | None = None,
        asked: Asked = "question",
        limits: Limits | None = None,
    ) -> AsyncGenerator[Arrival]:
        """An answer of success that has begun. Raises ProviderError, also for trouble while it is read."""
        with in_words(self.title, asked):
            async with self.outgoing.asking(method, address, body=body, headers=headers, limits=limits) as arrival:
                if not arrival.ok:
                    raise self.refusal((await arrival.refusal()).answer, asked)
                yield arrival

    async def ask(
        self,
        method: str,
        address: str,
        *,
        body: Body | None = None,
        headers: Mapping[str, str] | None = None,
        asked: Asked = "question",
        repeatable: bool | None = None,
        limits: Limits | None = None,
    ) -> Answer:
        """A whole answer of success. Only what is ``repeatable`` is sent more than once. Raises ProviderError."""
        with in_words(self.title, asked):
            answer = await self.outgoing.ask(
                method, address, body=body, headers=headers, repeatable=repeatable, limits=limits
            )
            if not answer.ok:
                raise self.refusal(answer, asked)
        return answer

    def refusal(self, answer: Answer, asked: Asked) -> ProviderError:
        """An answer that is no success, as the error to raise."""
        kind = self.kind_of(answer, asked)
        table = None if kind is None else {answer.status: kind}
        return refusal(answer, self.title, asked, table, self.words_of(answer))

    def error(self, kind: FailureKind, detail: str = "") -> ProviderError:
        """An error of that kind, in our words for the person."""
        return ProviderError(kind, MESSAGES[kind].format(title=self.title), detail)

    async def open(self, output: Output) -> AsyncIterator[bytes]:
        """The bytes behind an address."""
        assert output.url is not None
        async with (
            self.asking("GET", output.url, asked="result", limits=STREAMING) as arrival,
            aclosing(arrival.chunks()) as chunks,
        ):
            async for chunk in chunks:
                yield chunk

    async def find(self, reference: str) -> ProviderJob | Gone | CannotTell:
        """It does not know our reference."""
        return CannotTell()

    async def forget(self, job: ProviderJob) -> None:
        """Nothing: its copies go by themselves."""

    async def verify_webhook(self, headers: Mapping[str, str], body: bytes) -> str:
        """It calls nobody: whoever calls is not this provider."""
        raise self.error(FailureKind.UNAUTHORIZED, "it sends no webhooks")

    def job_of_webhook(self, reference: str, body: bytes) -> ProviderJob | None:
        """No webhook names one."""
        return None

    async def check(self) -> str | None:
        """Nothing can be tried without cost."""
        return None

    async def close(self) -> None:
        """Close its connections."""
        await self.outgoing.close()
