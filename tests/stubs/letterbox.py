"""A stub that takes letters without a server between, or refuses them as it is told to."""

from collections.abc import Sequence

from mutoscope.mail.port import Letter


class Letterbox:
    """Keeps what was sent. ``refusals``: what is raised instead, one for each try, and then no more."""

    def __init__(self, refusals: Sequence[Exception] = ()) -> None:
        self.letters, self.refusals, self.tries = list[Letter](), list(refusals), 0

    async def send(self, letter: Letter) -> None:
        self.tries += 1
        if self.refusals:
            raise self.refusals.pop(0)
        self.letters.append(letter)

    async def check(self) -> str:
        if self.refusals:
            raise self.refusals.pop(0)
        return "a letterbox; nothing was sent"
