"""The e-mail address of one's account, and links for a new password by mail."""

import msgspec
from litestar import Response, get, post, put
from litestar.background_tasks import BackgroundTask
from litestar.handlers import BaseRouteHandler
from litestar.params import JSONBody

from mutoscope.domain.errors import WrongState
from mutoscope.domain.people import Person
from mutoscope.services.mail import Mail
from mutoscope.web.limits import attempt, source
from mutoscope.web.security import Asked, person_of, studio_of

ON_ITS_WAY = "If there is such an account and it has an e-mail address, a mail with a link is on its way. It may take some minutes."


class EmailView(msgspec.Struct, frozen=True, kw_only=True):
    """One's address; nobody has looked whether it is one's own, and it serves links for a new password alone."""

    email: str | None


class EmailChange(msgspec.Struct, frozen=True, kw_only=True):
    """The new address, null for none, with the password as it is."""

    email: str | None
    password: str


class Forgotten(msgspec.Struct, frozen=True, kw_only=True):
    """Whose password is lost: the name of an account, or the address of any number of them."""

    name_or_email: str


class ForgottenAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The same for everybody, whether there is such an account or not."""

    said: str


async def set_email_as(request: Asked, email: str | None, password: str) -> Person:
    """Change the address of whoever asks. Raises WrongCredentials, Invalid, Conflict, TooOften."""
    person = person_of(request)
    async with attempt(request, person.name):
        return await studio_of(request).emails.set(person, email, password, source(request) or "")


async def forgot_as(request: Asked, name_or_email: str) -> BackgroundTask:
    """Ask for a link: what is returned goes with the answer, and is done when that has been sent, so that no one can tell
    by the time it takes. Raises WrongState where no mail is sent, TooOften.
    """
    studio = studio_of(request)
    if studio.mail is None:
        raise WrongState("This studio sends no mail. Ask an administrator for a link.")
    await studio.limits.forgot(source(request))
    return BackgroundTask(_forgot, studio.mail, name_or_email)


async def _forgot(mail: Mail, name_or_email: str) -> None:
    mail.forgot(name_or_email)


@get("/me/email")
async def get_email(request: Asked) -> EmailView:
    """One's e-mail address. It is shown to nobody else but the operator."""
    return EmailView(email=person_of(request).email)


@put("/me/email")
async def set_email(request: Asked, data: JSONBody[EmailChange]) -> EmailView:
    """Set or remove one's e-mail address. The one before is told by mail, where the studio sends any."""
    return EmailView(email=(await set_email_as(request, data.email, data.password)).email)


@post("/auth/forgot", status_code=202)
async def forgot_password(request: Asked, data: JSONBody[Forgotten]) -> Response[ForgottenAnswer]:
    """Have a link for a new password mailed. The answer is the same whether there is such an account or not."""
    after = await forgot_as(request, data.name_or_email)
    return Response(ForgottenAnswer(said=ON_ITS_WAY), status_code=202, background=after)


routes: list[BaseRouteHandler] = [get_email, set_email, forgot_password]
