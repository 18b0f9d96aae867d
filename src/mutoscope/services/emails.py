"""The e-mail address of an account: set and removed by its person, with the password, or by the operator."""

from msgspec import structs

from mutoscope.domain.emails import check_email, same_email
from mutoscope.domain.people import Person
from mutoscope.services.accounts import Accounts
from mutoscope.services.limits import Limits
from mutoscope.services.mail import Mail
from mutoscope.store.port import Store


class Emails:
    """The verbs. Whether others have the same address is not looked at: to refuse it would tell that they have."""

    def __init__(self, store: Store, accounts: Accounts, limits: Limits, mail: Mail | None) -> None:
        self._store, self._accounts, self._limits, self._mail = store, accounts, limits, mail

    async def set(self, person: Person, email: str | None, password: str, source: str = "") -> Person:
        """Set one's address, or remove it. Raises WrongCredentials, Invalid, Conflict when something came between, TooOften."""
        checked = await self._accounts.sign_in(person.name, password, source)
        wanted = None if email is None else check_email(email)
        await self._limits.email_change(checked)
        return await self._set(checked, wanted)

    async def set_as_operator(self, name: str, email: str | None) -> Person:
        """The same for who has proved to be the operator. Raises WrongCredentials for a name that nobody has."""
        person = await self._accounts.named(name)
        return await self._set(person, None if email is None else check_email(email))

    async def _set(self, person: Person, email: str | None) -> Person:
        before = await self._store.people.set_email(person.id, email, person.token_version)
        if self._mail is not None and before is not None and (email is None or same_email(email) != same_email(before)):
            self._mail.moved(person, before, removed=email is None)
        return structs.replace(person, email=email)
