"""A small real picture and a small real film, made once."""

from pathlib import Path

WIDTH, HEIGHT, FRAMES = 96, 64, 12


def samples(folder: Path) -> dict[str, bytes]:
    """The bytes by kind (``image``, ``video``), kept in the folder."""
    files = {"image": folder / "sample.png", "video": folder / "sample.mp4"}
    if not files["image"].exists():
        _picture(files["image"])
    if not files["video"].exists():
        _film(files["video"])
    return {kind: path.read_bytes() for kind, path in files.items()}


def _picture(path: Path) -> None:
    import pyvips

    image = pyvips.Image.xyz(WIDTH, HEIGHT).linear([2, 3], [0, 0]).bandjoin(128).cast("uchar")
    _whole(path, image.copy(interpretation="srgb").pngsave_buffer())


def _film(path: Path) -> None:
    import av
    import numpy as np

    part = path.with_suffix(".part.mp4")
    with av.open(str(part), "w") as container:
        stream = container.add_stream("libx264", rate=12, options={"threads": "1"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for n in range(FRAMES):
            pixels = np.full((HEIGHT, WIDTH, 3), (n * 20, 120, 255 - n * 20), dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))
    part.rename(path)


def _whole(path: Path, content: bytes) -> None:
    part = path.with_suffix(".part")
    part.write_bytes(content)
    part.rename(path)
