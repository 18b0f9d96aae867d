"""What a child does with one file: pick the room by the first bytes, and answer in words that are safe to show."""

import errno
from collections.abc import Mapping

from mutoscope.darkroom import blur, film, preview, still
from mutoscope.darkroom.port import Unreadable
from mutoscope.darkroom.sniff import check_whole, shape_of
from mutoscope.darkroom.wire import Answer, Job
from mutoscope.domain.media import Variant


def perform(job: Job, descriptor: int, outputs: Mapping[Variant, int]) -> Answer:
    """The answer to a job; every failure becomes one of its two complaints."""
    try:
        return _perform(job, descriptor, outputs)
    except Unreadable as e:
        return Answer(unreadable=str(e))
    except MemoryError:
        return Answer(unreadable=still.TOO_MUCH_MEMORY)
    except OSError as e:
        if e.errno == errno.EFBIG:
            return Answer(unreadable="What is made from the file would be too large.")
        return Answer(broken=f"{e.strerror or type(e).__name__} while developing: free some space and try again")
    except Exception as e:
        return Answer(broken=f"{type(e).__name__}: {e}")


def _perform(job: Job, descriptor: int, outputs: Mapping[Variant, int]) -> Answer:
    shape = shape_of(descriptor)
    check_whole(descriptor, shape)
    room = film if shape.film else still
    if job.task == "inspect":
        found = (
            film.survey(descriptor, shape, job.limits)[0]
            if shape.film
            else still.inspect(descriptor, shape, job.limits)
        )
        return Answer(found=found)
    if job.task == "develop":
        found, placeholder, made = room.develop(descriptor, shape, job.limits, outputs)
        return Answer(found=found, placeholder=placeholder, made=made)
    if job.task in ("plain", "fit"):
        if shape.film:
            raise Unreadable("This is a film; a picture is needed.")
        if job.fit is not None:
            return Answer(made=still.fit(descriptor, shape, job.limits, job.fit, outputs))
        return Answer(made=still.plain(descriptor, shape, job.limits, job.side_px, outputs))
    if job.task == "blur":
        make = blur.film_of if shape.film else blur.stills_of
        return Answer(made=make(descriptor, shape, job.limits, job.side_px, outputs))
    return Answer(made=preview.make(descriptor, shape, job.limits, outputs) if shape.film else ())
