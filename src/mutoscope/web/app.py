"""The web application: routes, who asks, how errors look, and the layer in front of everything."""

from collections.abc import Sequence

from litestar import Litestar
from litestar.datastructures import State

from mutoscope.services.studio import Studio
from mutoscope.web import health, openapi
from mutoscope.web.api import api_router
from mutoscope.web.bodies import JSON_BYTES
from mutoscope.web.delivery import deliver
from mutoscope.web.embed import embed
from mutoscope.web.events import HEARTBEAT_S, Streams, events
from mutoscope.web.front import EMBED_CSP, Front, guards_for, policy_for
from mutoscope.web.health import Metrics, Trial
from mutoscope.web.hooks import Doorkeeper, hook
from mutoscope.web.incoming import Incoming
from mutoscope.web.oembed import oembed
from mutoscope.web.pages import page_routes
from mutoscope.web.pages.errors import error_page
from mutoscope.web.problems import exception_handlers
from mutoscope.web.security import Authentication, allowed_hosts


def create_app(
    studio: Studio,
    metrics_token: str | None = None,
    hosts: Sequence[str] = (),
    heartbeat_s: float = HEARTBEAT_S,
    media_address: str | None = None,
) -> Litestar:
    """The application for one studio. Whoever calls starts and stops the studio.

    ``metrics_token``: what a scraper must send; without it only this machine gets figures.
    ``hosts``: further names under which the studio is reached, beside that of its base address.
    ``media_address``: where else than here pictures and films come from, such as a bucket's address.
    ``app.state.streams.close()`` ends the event streams; without that a server waits for them when it stops.
    """
    metrics = Metrics()
    state = State(
        {
            "studio": studio,
            "streams": Streams(heartbeat_s),
            "metrics": metrics,
            "trial": Trial(),
            "doorkeeper": Doorkeeper(),
            "metrics_token": metrics_token,
            "error_page": error_page,
            "embed_policy": policy_for(media_address, EMBED_CSP),
        }
    )
    app = Litestar(
        route_handlers=[
            api_router(),
            events,
            deliver,
            hook,
            oembed,
            embed,
            *health.routes,
            *openapi.routes,
            *page_routes,
        ],
        state=state,
        middleware=[Authentication],
        request_class=Incoming,
        exception_handlers=exception_handlers,
        request_max_body_size=JSON_BYTES,
        logging_config=None,
        openapi_config=None,
    )
    app.asgi_handler = Front(
        app.asgi_handler, allowed_hosts(studio.base_url, tuple(hosts)), metrics.observe, guards_for(media_address)
    )
    return app
