"""How JSON bodies become what their routes ask for: strictly, so that ``"5"`` is no number."""

from typing import Any

from litestar import Request

from mutoscope.web.bodies import decode_json


class Incoming(Request[Any, Any, Any]):
    """A request whose JSON body is decoded as the type of its route's ``data``.

    Litestar itself decodes it as anything, and converts it together with the query, where every number is text.
    """

    async def json(self) -> Any:
        """The body as the type that the route asks for. Raises Invalid."""
        wanted = self.route_handler.parsed_data_field
        if wanted is None:
            return await super().json()
        return decode_json(await self.body(), wanted.annotation)
