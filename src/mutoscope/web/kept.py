"""Answers to strangers, kept while nothing has changed.

What is kept is exact, not merely recent. An answer to somebody who has not signed in depends on the address, on the store
and on the window of its signed addresses, and on nothing else; it is given again only for the same query string while the
store's revision and the window are those from before it was made. Whatever a commit takes away (an item made private,
hidden, locked, put in the trash) is gone from the next answer, also before the one who took it away is told.
"""

from litestar.types import ASGIApp, HTTPResponseBodyEvent, HTTPResponseStartEvent, Message, Receive, Scope, Send

from mutoscope.services.studio import Studio

KEPT_BYTES = 8 * 1024 * 1024
"""How much is kept at most; beyond it everything is let go."""

Key = tuple[bytes, int, int]
Answer = tuple[HTTPResponseStartEvent, HTTPResponseBodyEvent]


class Kept:
    """A middleware behind `Authentication`, around a GET route that gives all strangers the same answer, in one piece."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._answers: dict[Key, Answer] = {}
        self._revision, self._bytes = 0, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer from what is kept, or pass the question on and keep the answer."""
        key = _key(scope)
        if key is None:
            await self._app(scope, receive, send)
        elif key in self._answers:
            for message in self._answers[key]:
                await send(message.copy())  # what is outside adds header fields
        else:
            starts: list[HTTPResponseStartEvent] = []

            async def hear(message: Message) -> None:
                if message["type"] == "http.response.start" and message["status"] == 200:
                    starts.append(message.copy())
                elif message["type"] == "http.response.body" and starts:
                    start = starts.pop()  # an answer in several pieces is not kept
                    if not message["more_body"]:
                        self._keep(key, (start, message.copy()))
                await send(message)

            await self._app(scope, receive, hear)

    def _keep(self, key: Key, answer: Answer) -> None:
        size, revision = len(answer[1]["body"]), key[1]
        if revision != self._revision or self._bytes + size > KEPT_BYTES:
            self._answers.clear()
            self._revision, self._bytes = revision, 0
        self._answers[key] = answer
        self._bytes += size


def _key(scope: Scope) -> Key | None:
    """All that an answer to a stranger depends on; None when it is for somebody, or the store is changing just now."""
    studio: Studio = scope["litestar_app"].state.studio
    revision = studio.store.revision()
    if scope["type"] != "http" or scope["method"] != "GET" or scope["user"] is not None or revision is None:
        return None
    return scope["query_string"], revision, studio.addresses.window()
