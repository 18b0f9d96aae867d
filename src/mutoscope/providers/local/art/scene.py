"""From a plan to its frames."""

from collections.abc import Iterator

from mutoscope.providers.local.art.canvas import Canvas
from mutoscope.providers.local.art.families import FAMILIES, FILMED
from mutoscope.providers.local.art.pixels import Finish, Frame
from mutoscope.providers.local.art.theme import dice_for, family_for, theme_for
from mutoscope.providers.local.plan import FPS, Plan


def still(plan: Plan, place: int) -> Iterator[Frame]:
    """One picture; result ``place`` is the first one of a seed larger by ``place``."""
    yield from _frames(plan, plan.seed + place, tuple(FAMILIES), grain=1.5)


def dream(plan: Plan, place: int) -> Iterator[Frame]:
    """A film whose end meets its beginning."""
    yield from _frames(plan, plan.seed + place, FILMED, grain=0.55)


def _frames(plan: Plan, seed: int, families: tuple[str, ...], grain: float) -> Iterator[Frame]:
    dice = dice_for(plan.prompt, seed, plan.upstream)
    theme = theme_for(plan.prompt, dice)
    family = family_for(plan.prompt, families, dice)
    film = plan.upstream == "dream"
    canvas = Canvas(plan.width, plan.height, plan.duration_s if film else 0, plan.strength)
    scene = FAMILIES[family](canvas, theme, dice)
    finish = Finish(dice, plan.width, plan.height, grain, vignette=0.55)
    for number in range(plan.frames_each):
        yield finish(scene(number / (plan.duration_s * FPS)), number)
