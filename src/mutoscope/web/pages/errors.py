"""What a browser sees when something is refused: what happened, and what to do."""

from litestar import Response

from mutoscope.web.pages.template import frame, html
from mutoscope.web.security import Asked


def error_page(request: Asked, status: int, title: str, detail: str) -> Response[str]:
    """A refusal as a page. Works also when the database is down: it asks for nothing."""
    # A request that was refused before anyone looked who asks: somebody may be signed in.
    unknown = "user" not in request.scope
    request.scope.setdefault("user", None)
    return html(
        "error.html", status, **frame(request, None), unknown=unknown, number=status, title=title, detail=detail
    )
