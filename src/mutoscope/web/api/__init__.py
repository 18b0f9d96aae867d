"""The REST interface: thin routes over the services."""

from litestar import Router

from mutoscope.web.api import (
    auth,
    catalogue,
    collections,
    emails,
    generations,
    invites,
    keys,
    likes,
    media,
    outcomes,
    shares,
    tokens,
    unlocks,
)
from mutoscope.web.bodies import json_only


def api_router() -> Router:
    """The routes, for one application."""
    return Router(
        path="/api",
        route_handlers=[
            Router(
                path="/",
                route_handlers=[
                    *auth.routes,
                    *emails.routes,
                    *keys.routes,
                    *invites.routes,
                    *tokens.routes,
                    *catalogue.routes,
                    *generations.routes,
                    *media.routes,
                    *likes.routes,
                    *collections.routes,
                    *outcomes.routes,
                    *unlocks.routes,
                    *shares.routes,
                ],
                before_request=json_only,
            ),
            generations.create_generation,
        ],
    )
