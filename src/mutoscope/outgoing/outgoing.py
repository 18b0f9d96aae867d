"""Asking one provider: what may be asked where, what is repeated, and what a failure means."""

import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, asynccontextmanager
from functools import partial

import httpx2

from mutoscope.domain.ids import Millis
from mutoscope.outgoing.arrival import Arrival
from mutoscope.outgoing.bodies import Body
from mutoscope.outgoing.breaker import Breaker, BreakerNumbers, State
from mutoscope.outgoing.destination import Destination, origin_of, where
from mutoscope.outgoing.door import Door
from mutoscope.outgoing.patience import STREAMING, Again, Limits, SystemTime, Time
from mutoscope.outgoing.pinned import Dial, Resolve, dial, resolve
from mutoscope.outgoing.trouble import Answer, NotAllowed, OutgoingError, Trouble

MOST_REDIRECTS = 3
REDIRECTS = frozenset({301, 302, 303, 307, 308})
SAFE = frozenset({"GET", "HEAD"})
PASSING_STATUSES = frozenset({429, 500, 502, 503, 504})
PASSING_TROUBLES = frozenset(
    {
        Trouble.NO_NAME, Trouble.NO_CONNECTION, Trouble.CONNECT_TIMEOUT, Trouble.BUSY, Trouble.LOST, Trouble.SILENT,
        Trouble.SLOW, Trouble.CUT,
    }
)  # fmt: skip
"""What may be otherwise a moment later."""
NOT_THEIRS = frozenset({Trouble.NOT_ALLOWED, Trouble.UNREADABLE, Trouble.TOO_LARGE, Trouble.BUSY})
"""What says nothing of the provider's health."""


class Outgoing:
    """One provider's way out. Addresses are paths below its base address, or what it gave as an address of a result.

    ``resolve``, ``dial``, ``time`` and ``tls`` are the world, for tests to decide.
    """

    def __init__(
        self,
        destination: Destination,
        *,
        limits: Limits | None = None,
        again: Again | None = None,
        breaker: BreakerNumbers | None = None,
        time: Time | None = None,
        resolve: Resolve = resolve,
        dial: Dial = dial,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.destination = destination
        self._limits, self._again, self._time = limits or Limits(), again or Again(), time or SystemTime()
        self._breaker = Breaker(breaker or BreakerNumbers(), self._time.monotonic_s)
        self._door = Door(destination, self._time, resolve, dial, tls)

    def __repr__(self) -> str:
        return f"Outgoing({self.destination!r}, {self.state})"

    @property
    def state(self) -> State:
        """Of the circuit breaker."""
        return self._breaker.state

    async def close(self) -> None:
        """Close all connections."""
        await self._door.close()

    async def ask(
        self,
        method: str,
        address: str,
        *,
        body: Body | None = None,
        headers: Mapping[str, str] | None = None,
        repeatable: bool | None = None,
        limits: Limits | None = None,
    ) -> Answer:
        """A whole answer, whatever its status. Raises OutgoingError.

        Only what is ``repeatable`` is repeated: GET and HEAD, and what the caller says is the same when it comes twice.
        """
        once = partial(self._once, method, address, body, headers, repeatable, limits)
        for tried in range(1, self._again.tries if _repeatable(method, repeatable) else 1):
            try:
                answer = await once()
            except OutgoingError as e:
                if e.trouble not in PASSING_TROUBLES:
                    raise
                pause_s = self._pause_s(tried, e.retry_after_ms)
            else:
                pause_s = self._pause_s(tried, answer.retry_after_ms)
                if answer.status not in PASSING_STATUSES or pause_s > self._again.cap_s:
                    return answer
            await self._time.sleep(pause_s)
        return await once()

    async def stream(
        self, address: str, *, headers: Mapping[str, str] | None = None, limits: Limits = STREAMING
    ) -> AsyncGenerator[bytes]:
        """The bytes of a result. Raises Answered for another status than success, OutgoingError when it is cut."""
        async with self.asking("GET", address, headers=headers, limits=limits) as arrival:
            if not arrival.ok:
                raise await arrival.refusal()
            async with aclosing(arrival.chunks()) as chunks:
                async for chunk in chunks:
                    yield chunk

    @asynccontextmanager
    async def asking(
        self,
        method: str,
        address: str,
        *,
        body: Body | None = None,
        headers: Mapping[str, str] | None = None,
        repeatable: bool | None = None,
        limits: Limits | None = None,
    ) -> AsyncGenerator[Arrival]:
        """An answer that has begun, whatever its status, for those that are too large to hold. Asked once."""
        try:
            url = self.destination.url(address)
        except NotAllowed as e:
            raise OutgoingError(Trouble.NOT_ALLOWED, self.destination.name, sent=False, more=str(e)) from None
        limits, fresh = limits or self._limits, not _repeatable(method, repeatable)
        arrival = await self._first(method, url, headers or {}, body, limits, fresh)
        try:
            for _ in range(MOST_REDIRECTS):
                if method not in SAFE or arrival.status not in REDIRECTS:
                    break
                url = self._next(url, arrival)
                await arrival.close()
                # Without any header of ours: the key and what the caller set were for the first address.
                arrival = await self._door.send(method, url, {}, None, limits, fresh=False)
            if method in SAFE and arrival.status in REDIRECTS:
                raise OutgoingError(Trouble.REDIRECTED, where(url), sent=True, more="too many")
            yield arrival
        finally:
            await arrival.close()

    async def _once(
        self, method: str, address: str, body: Body | None, headers: Mapping[str, str] | None, repeatable: bool | None,
        limits: Limits | None,
    ) -> Answer:  # fmt: skip
        async with self.asking(
            method, address, body=body, headers=headers, repeatable=repeatable, limits=limits
        ) as arrival:
            return await arrival.read()

    def _pause_s(self, tried: int, asked_ms: Millis | None) -> float:
        return max(self._again.pause_s(tried, self._time.chance()), (asked_ms or 0) / 1000)

    async def _first(
        self, method: str, url: httpx2.URL, headers: Mapping[str, str], body: Body | None, limits: Limits, fresh: bool
    ) -> Arrival:
        if origin_of(url) != self.destination.origin:
            # Where results are kept has no key, and says nothing of the provider's own health.
            return await self._door.send(method, url, headers, body, limits, fresh=fresh)
        if not self._breaker.enter():
            left_ms = int(self._breaker.left_s() * 1000)
            raise OutgoingError(Trouble.CIRCUIT_OPEN, where(url), sent=False, retry_after_ms=left_ms)
        headers = {**self.destination.headers, **headers}
        try:
            arrival = await self._door.send(method, url, headers, body, limits, fresh=fresh)
        except OutgoingError as e:
            (self._breaker.dropped if e.trouble in NOT_THEIRS else self._breaker.failed)()
            raise
        except BaseException:
            self._breaker.dropped()
            raise
        arrival.keyed = True
        (self._breaker.failed if arrival.status >= 500 else self._breaker.succeeded)()
        return arrival

    def _next(self, url: httpx2.URL, arrival: Arrival) -> httpx2.URL:
        try:
            return self.destination.url(str(url.join(arrival.headers.get("location", ""))))
        except (NotAllowed, httpx2.InvalidURL, UnicodeError) as e:
            more = str(e) if isinstance(e, NotAllowed) else "not an address"
            raise OutgoingError(Trouble.REDIRECTED, where(url), sent=True, more=more) from None


def _repeatable(method: str, said: bool | None) -> bool:
    return method in SAFE if said is None else said
