"""How much of a locked picture can be rebuilt from its blurred poster: likeness of the best attempt to the original.

Likeness is the structural similarity of Wang and others (2004) over the luma at 640 px, 1 for the same picture: Gaussian window
of 1.5 px, K1 = 0.01, K2 = 0.03. Attempts know how the poster was made: what it shows, its few pixels enlarged by three kernels,
its softness taken back (Richardson-Lucy), and back-projection, which looks for a picture that would be blurred to the same.
"""

import asyncio
import tempfile
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyvips
from numpy.typing import NDArray

import mutoscope.demo
from benchmarks.claim import Claim, median
from mutoscope.darkroom.blur import SOFTNESS_PX
from mutoscope.darkroom.jailed import JailedDarkroom
from mutoscope.darkroom.port import MediaLimits, blur_px
from mutoscope.domain.media import Variant
from mutoscope.providers.local.art.families import FAMILIES
from mutoscope.providers.local.art.scene import still
from mutoscope.providers.local.plan import Plan

INTENSITIES = (20, 50, 80, 100)
WIDTH = 640
CROPS = ((0, 0), (640, 0), (0, 427), (640, 427), (320, 213), (100, 300), (500, 100), (420, 400))
LIMITS = MediaLimits(size_bytes=64_000_000, pixels=64_000_000, duration_s=60)
ROUNDS = 20

Luma = NDArray[np.float32]


def run() -> Iterator[Claim]:
    """A figure for each intensity, beside that of a sharp thumbnail and that of one even colour."""
    likeness = asyncio.run(_measure())
    thumbnail = median(likeness["thumbnail"])
    for name in ("even", *(str(intensity) for intensity in INTENSITIES)):
        what = "one even colour" if name == "even" else f"intensity {name}, {blur_px(int(name))} px left, best attempt"
        yield Claim(
            what=f"{what}, median of {len(likeness[name])} pictures", value=median(likeness[name]), unit="SSIM",
            baseline="sharp thumbnail of 320 px", baseline_value=thumbnail,
        )  # fmt: skip
        yield Claim(what=f"{what}, the likest picture", value=max(likeness[name]), unit="SSIM")


async def _measure() -> Mapping[str, list[float]]:
    found: dict[str, list[float]] = {name: [] for name in ("even", "thumbnail", *map(str, INTENSITIES))}
    darkroom = JailedDarkroom()
    try:
        with tempfile.TemporaryDirectory() as folder:
            for path in _pictures(Path(folder)):
                image: Any = pyvips.Image.new_from_file(str(path))
                original = _luma(image)
                found["even"].append(ssim(original, np.full_like(original, original.mean())))
                found["thumbnail"].append(ssim(original, _luma(image.thumbnail_image(320))))
                for intensity in INTENSITIES:
                    made = await darkroom.blur(path, Path(folder), intensity, LIMITS)
                    blurred: Any = pyvips.Image.new_from_file(str(made[Variant.BLURRED].path)).copy_memory()
                    found[str(intensity)].append(max(ssim(original, x) for x in _attempts(blurred, intensity)))
    finally:
        await darkroom.close()
    return found


def _pictures(folder: Path) -> Iterator[Path]:
    """Twelve that the local provider draws, named after its families, and eight parts of the demo's photograph."""
    for number, family in enumerate(FAMILIES):
        plan = Plan(upstream="still", prompt=family, seed=number, results=1, width=1280, height=720)
        image: Any = pyvips.Image.new_from_array(next(still(plan, 0)), interpretation="srgb")
        image.write_to_file(str(path := folder / f"{family}.png"))
        yield path
    photograph: Any = pyvips.Image.new_from_file(str(Path(mutoscope.demo.__file__).with_name("photograph.jpg")))
    for number, (left, top) in enumerate(CROPS):
        photograph.crop(left, top, 640, 426).write_to_file(str(path := folder / f"part-{number}.png"))
        yield path


def _luma(image: Any) -> Luma:
    """Brightness from 0 to 255, WIDTH wide."""
    grey = image.colourspace("b-w").cast("float")
    return _array(grey.resize(WIDTH / grey.width, vscale=_height(image) / grey.height, kernel="cubic"))


def _height(image: Any) -> int:
    return round(WIDTH * image.height / image.width)


def _array(image: Any) -> Luma:
    return image.numpy().reshape(image.height, image.width).astype(np.float32)


def _image(luma: Luma) -> Any:
    return pyvips.Image.new_from_array(np.ascontiguousarray(luma, dtype=np.float32))


def _soft(luma: Luma, sigma: float) -> Luma:
    return _array(_image(luma).gaussblur(sigma, precision="float"))


def _sized(luma: Luma, height: int, width: int, kernel: str) -> Luma:
    image = _image(luma)
    made = _array(image.resize(width / image.width, vscale=height / image.height, kernel=kernel))
    return made[:height, :width]


def _attempts(blurred: Any, intensity: int) -> Iterator[Luma]:
    shown, few_px = _luma(blurred), blur_px(intensity)
    yield shown
    height, width = shown.shape
    scale = few_px / max(height, width)
    down, across = max(1, round(height * scale)), max(1, round(width * scale))
    few = _sized(shown, down, across, "linear")
    for kernel in ("linear", "lanczos3", "mitchell"):
        yield _sized(few, height, width, kernel)
    yield from _sharpened(shown, SOFTNESS_PX / scale)
    yield from _projected(shown, partial(_blurred, size=(down, across)))


def _sharpened(shown: Luma, sigma: float) -> Iterator[Luma]:
    """Richardson (1972) and Lucy (1974), for the softness that was given to the few pixels."""
    guess = observed = shown.clip(1, 255)
    for turn in range(1, ROUNDS + 1):
        guess = (guess * _soft(observed / _soft(guess, sigma).clip(1e-3), sigma)).clip(0, 255)
        if turn in (3, 8, ROUNDS):
            yield guess


def _blurred(luma: Luma, size: tuple[int, int]) -> Luma:
    few = _soft(_sized(luma, *size, "linear"), SOFTNESS_PX)
    return _sized(few, *luma.shape, "cubic")


def _projected(shown: Luma, blur: Any) -> Iterator[Luma]:
    """Irani and Peleg (1991): what the blur of a guess lacks is added to it."""
    guess = shown
    for turn in range(1, ROUNDS + 1):
        guess = (guess + shown - blur(guess)).clip(0, 255)
        if turn in (3, 8, ROUNDS):
            yield guess


def ssim(one: Luma, other: Luma) -> float:
    """The mean structural similarity of two pictures of the same size."""
    height, width = min(one.shape[0], other.shape[0]), min(one.shape[1], other.shape[1])
    x, y = one[:height, :width], other[:height, :width]
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    mean = partial(_soft, sigma=1.5)
    mx, my = mean(x), mean(y)
    vx, vy, both = mean(x * x) - mx * mx, mean(y * y) - my * my, mean(x * y) - mx * my
    return float(np.mean((2 * mx * my + c1) * (2 * both + c2) / ((mx * mx + my * my + c1) * (vx + vy + c2))))
