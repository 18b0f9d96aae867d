"""What the child does: every result that is not there yet, frame by frame."""

from collections.abc import Callable, Iterator

from mutoscope.providers.local import film, picture
from mutoscope.providers.local.art.pixels import Frame
from mutoscope.providers.local.art.scene import dream, still
from mutoscope.providers.local.drift import CannotRead, drift
from mutoscope.providers.local.folder import Folder
from mutoscope.providers.local.plan import Plan


class CannotDraw(Exception):
    """The job cannot be rendered, now or later: ``str(e)`` says why, in a sentence for the person."""


class _Stopped(Exception):
    """Someone wants the child to end."""


def work(folder: Folder, go_on: Callable[[], bool]) -> None:
    """Render what is missing; returns early when ``go_on`` says so. Raises CannotDraw, OSError."""
    plan = folder.plan()
    try:
        for place in range(plan.results):
            _result(folder, plan, place, go_on)
    except CannotRead as e:
        raise CannotDraw(str(e)) from e
    except _Stopped:
        return


def _result(folder: Folder, plan: Plan, place: int, go_on: Callable[[], bool]) -> None:
    path = folder.result(place, plan)
    done = place * plan.frames_each
    if not path.exists():
        with folder.whole(path) as part:
            frames = _watched(_frames(folder, plan, place), folder, done, go_on)
            if plan.upstream == "still":
                picture.write(part, next(frames))
            else:
                film.write(part, frames, plan.width, plan.height)
    folder.note_frames(done + plan.frames_each)


def _frames(folder: Folder, plan: Plan, place: int) -> Iterator[Frame]:
    if plan.upstream == "still":
        return still(plan, place)
    return dream(plan, place) if plan.upstream == "dream" else drift(plan, folder.source)


def _watched(frames: Iterator[Frame], folder: Folder, done: int, go_on: Callable[[], bool]) -> Iterator[Frame]:
    for place, frame in enumerate(frames):
        if not go_on():
            raise _Stopped
        yield frame
        # The frame was taken; the last one counts when its result is whole.
        folder.note_frames(done + place)
