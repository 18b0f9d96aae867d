"""The web application: routes, who asks, how errors look, and the layer in front of everything."""

from collections.abc import Sequence

from litestar import Litestar
from litestar.datastructures import State

from mutoscope.services.studio import Studio
from mutoscope.web.api import api_router
from mutoscope.web.bodies import JSON_BYTES
from mutoscope.web.delivery import deliver
from mutoscope.web.front import Front
from mutoscope.web.pages import page_routes
from mutoscope.web.problems import exception_handlers
from mutoscope.web.security import Authentication, allowed_hosts


def create_app(studio: Studio, metrics_token: str | None = None, hosts: Sequence[str] = ()) -> Litestar:
    """The application for one studio. Whoever calls starts and stops the studio.

    ``metrics_token``: what a scraper must send; without it only this machine gets figures.
    ``hosts``: further names under which the studio is reached, beside that of its base address.
    """
    app = Litestar(
        route_handlers=[api_router, deliver, *page_routes],
        state=State({"studio": studio}),
        middleware=[Authentication],
        exception_handlers=exception_handlers,
        request_max_body_size=JSON_BYTES,
        logging_config=None,
        openapi_config=None,
    )
    app.asgi_handler = Front(app.asgi_handler, allowed_hosts(studio.base_url, tuple(hosts)), _nobody)
    return app


def _nobody(method: str, template: str, status: int, seconds: float) -> None: ...
