"""Whether the process lives, whether it can serve, and figures for Prometheus."""

import hmac
import os
import shutil
from collections.abc import Mapping

import msgspec
from litestar import Response, get
from litestar.handlers import BaseRouteHandler
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from mutoscope.blobs.port import BlobsUnavailable
from mutoscope.domain.errors import NotFound, SignInNeeded
from mutoscope.domain.ids import SECOND, Millis
from mutoscope.outgoing import CIRCUIT_STATES, Outgoing
from mutoscope.services.studio import Studio
from mutoscope.store.port import StoreUnavailable
from mutoscope.web.events import Streams
from mutoscope.web.security import Asked, studio_of

FREE_BYTES = 256 * 1024 * 1024
"""Less room than this on the data disk, and the studio is not ready for more work."""
TOTALS_FOR_MS: Millis = 5 * SECOND
TRIED_FOR_MS: Millis = 5 * SECOND
"""How long a trial of the storage counts: it writes, and anybody may ask."""
LOOPBACK = frozenset({"127.0.0.1", "::1"})
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the studio can serve, part by part: "ok", or what is wrong."""

    ready: bool
    parts: dict[str, str]


class Trial:
    """Whether the storage takes bytes and gives them back: really tried, but not at every question."""

    def __init__(self) -> None:
        self._tried_at: Millis | None = None
        self._said = "ok"

    async def said(self, studio: Studio) -> str:
        """ "ok", or what is wrong."""
        now = studio.clock.now()
        if self._tried_at is None or now - self._tried_at >= TRIED_FOR_MS:
            self._tried_at = now
            try:
                await studio.blobs.check()
                self._said = "ok"
            except BlobsUnavailable:
                self._said = "cannot be reached or written"
        return self._said


class Metrics:
    """The figures of one application, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "mutoscope_http_requests", "Requests served", ["method", "route", "status"], registry=self.registry
        )
        self._seconds = Histogram(
            "mutoscope_http_request_seconds", "Time to the end of the answer", ["route"], registry=self.registry
        )
        self._jobs = Gauge("mutoscope_generations", "Jobs by state", ["state"], registry=self.registry)
        self._items = Gauge("mutoscope_items", "Items kept", registry=self.registry)
        self._bytes = Gauge("mutoscope_stored_bytes", "Bytes of the items' files", registry=self.registry)
        self._people = Gauge("mutoscope_people", "Accounts", registry=self.registry)
        self._streams = Gauge("mutoscope_event_streams", "Event streams that are open", registry=self.registry)
        self._circuits = Gauge(
            "mutoscope_provider_circuit",
            "1 for how this process's circuit breaker for a provider stands, 0 for how it does not",
            ["provider", "state"],
            registry=self.registry,
        )
        self._calls = Counter(
            "mutoscope_webhooks",
            "Calls of providers by what came of them",
            ["provider", "outcome"],
            registry=self.registry,
        )
        self._views = Counter("mutoscope_views", "Views that this process has counted", registry=self.registry)
        self._views_told = 0
        self._mails = Counter("mutoscope_mails", "Mails by what came of them", ["outcome"], registry=self.registry)
        self._mails_seen: dict[str, int] = {}
        self._totals_at: Millis | None = None

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request."""
        self._requests.labels(method if method in METHODS else "other", route, str(status)).inc()
        if route != "/api/events":
            self._seconds.labels(route).observe(seconds)

    def called(self, provider: str, outcome: str) -> None:
        """Count one call of a provider that there is."""
        self._calls.labels(provider, outcome).inc()

    async def text(self, studio: Studio, streams: Streams) -> bytes:
        """All figures in Prometheus' text format; the counts of the store are at most 5 s old."""
        now = studio.clock.now()
        if self._totals_at is None or now - self._totals_at >= TOTALS_FOR_MS:
            totals = await studio.stats.totals()
            for state, count in totals.generations.items():
                self._jobs.labels(state.value).set(count)
            self._items.set(totals.items)
            self._bytes.set(totals.stored_bytes)
            self._people.set(totals.people)
            self._totals_at = now
        self._streams.set(len(streams))
        self._views.inc(studio.counting.counted - self._views_told)
        self._views_told = studio.counting.counted
        for outcome, count in (studio.mail.counts if studio.mail is not None else {}).items():
            self._mails.labels(outcome).inc(count - self._mails_seen.get(outcome, 0))
            self._mails_seen[outcome] = count
        for name, provider in studio.providers.items():
            for label, outgoing in _ways_out(name, provider).items():
                for state in CIRCUIT_STATES:
                    self._circuits.labels(label, state).set(outgoing.state == state)
        return generate_latest(self.registry)


def _ways_out(name: str, provider: object) -> dict[str, Outgoing]:
    """A provider's ways out, by what the figures call each: a pool has one for every server."""
    outgoing = getattr(provider, "outgoing", None)
    if isinstance(outgoing, Outgoing):
        return {name: outgoing}
    pool: Mapping[str, Outgoing] = getattr(provider, "pool", {})
    return {f"{name} {base}": way for base, way in pool.items()}


@get("/healthz", include_in_schema=False, exclude_from_auth=True, sync_to_thread=False)
def alive() -> dict[str, str]:
    """The process lives."""
    return {"status": "ok"}


@get("/readyz", include_in_schema=False, exclude_from_auth=True)
async def ready(request: Asked) -> Response[Readiness]:
    """The studio can serve; 503 when a part cannot."""
    parts = await _parts(studio_of(request), request.app.state.trial)
    fine = all(said == "ok" for said in parts.values())
    return Response(Readiness(ready=fine, parts=parts), status_code=200 if fine else 503)


async def _parts(studio: Studio, trial: Trial) -> dict[str, str]:
    parts = {"store": "ok", "storage": await trial.said(studio), "disk": "ok"}
    try:
        await studio.store.ping()
    except StoreUnavailable:
        parts["store"] = "cannot be reached"
    try:
        folder = next(path for path in (studio.spool.root, *studio.spool.root.parents) if path.exists())
        if shutil.disk_usage(folder).free < FREE_BYTES:
            parts["disk"] = "is nearly full"
        elif not os.access(folder, os.W_OK):
            parts["disk"] = "cannot be written"
    except OSError:
        parts["disk"] = "cannot be looked at"
    return parts


@get("/metrics", include_in_schema=False, exclude_from_auth=True)
async def metrics(request: Asked) -> Response[bytes]:
    """Figures for Prometheus."""
    _check_scraper(request, request.app.state.metrics_token)
    figures: Metrics = request.app.state.metrics
    text = await figures.text(studio_of(request), request.app.state.streams)
    return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")


def _check_scraper(request: Asked, token: str | None) -> None:
    """With a token set, it must be sent; without, only this machine may ask, and not through a proxy."""
    if token:
        sent = request.headers.get("authorization", "")
        if not hmac.compare_digest(sent.encode(), f"Bearer {token}".encode()):
            raise SignInNeeded("Send the METRICS_TOKEN: Authorization: Bearer ...")
        return
    client = request.scope.get("client")
    forwarded = {"forwarded", "x-forwarded-for", "x-real-ip"} & set(request.headers.keys())
    if forwarded or (client is not None and client[0] not in LOOPBACK):
        raise NotFound("There is nothing at this address.")


routes: list[BaseRouteHandler] = [alive, ready, metrics]
