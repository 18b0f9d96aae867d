"""What some of Replicate's models take and give, by the schemas on their pages: the part that a stub can be strict about.

A field is a type, a set of choices, a range of whole numbers, or "picture" and "pictures" for addresses of files.
"""

from typing import Any, Literal

import msgspec

Field = type | set[Any] | range | Literal["picture", "pictures"]
VERSION = "5c7d5dc6dd8bf75c" * 4


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """One model. ``gives``: its output is an address, a list of them, or an object that has one."""

    kind: Literal["image", "video"]
    gives: Literal["address", "list", "object"]
    fields: dict[str, Any]
    required: tuple[str, ...] = ("prompt",)

    def complaints(self, given: dict[str, Any], files: set[str]) -> list[str]:
        """What is wrong with an input. ``files`` are the addresses of what was uploaded."""
        wrong = [f"{name} is required" for name in self.required if name not in given]
        for name, value in given.items():
            if name not in self.fields:
                wrong.append(f"Additional property {name} is not allowed")
            elif not _fits(self.fields[name], value, files):
                wrong.append(f"{name}: Invalid value")
        return wrong


def _fits(field: Field, value: Any, files: set[str]) -> bool:
    if field == "picture":
        return isinstance(value, str) and value in files
    if field == "pictures":
        return isinstance(value, list) and all(_fits("picture", one, files) for one in value)
    if isinstance(field, type):
        return isinstance(value, field) and (field is bool or not isinstance(value, bool))
    return not isinstance(value, bool) and value in field


RATIOS = {"1:1", "16:9", "21:9", "3:2", "2:3", "4:5", "5:4", "3:4", "4:3", "9:16", "9:21"}
FORMATS = {"webp", "jpg", "png"}

MODELS: dict[str, Taken] = {
    "black-forest-labs/flux-schnell": Taken(
        kind="image", gives="list",
        fields={
            "prompt": str, "aspect_ratio": RATIOS, "num_outputs": range(1, 5), "num_inference_steps": range(1, 5),
            "seed": int, "output_format": FORMATS, "output_quality": range(101), "disable_safety_checker": bool,
            "go_fast": bool, "megapixels": {"1", "0.25"},
        },
    ),
    "black-forest-labs/flux-2-pro": Taken(
        kind="image", gives="address",
        fields={
            "prompt": str, "input_images": "pictures", "seed": int, "output_format": FORMATS,
            "aspect_ratio": {
                "match_input_image", "custom", "1:1", "16:9", "3:2", "2:3", "4:5", "5:4", "9:16", "3:4", "4:3",
            },
            "resolution": {"match_input_image", "0.5 MP", "1 MP", "2 MP", "4 MP"}, "width": int, "height": int,
            "safety_tolerance": range(1, 6), "output_quality": range(101),
        },
    ),
    "bytedance/seedream-4.5": Taken(
        kind="image", gives="list",
        fields={
            "prompt": str, "image_input": "pictures", "size": {"2K", "4K", "custom"},
            "aspect_ratio": {"match_input_image", "1:1", "4:3", "3:4", "16:9", "9:16", "3:2", "2:3", "21:9"},
            "width": range(1024, 4097), "height": range(1024, 4097),
            "sequential_image_generation": {"disabled", "auto"}, "max_images": range(1, 16),
        },
    ),
    "bytedance/seedance-1-pro-fast": Taken(
        kind="video", gives="address",
        fields={
            "prompt": str, "image": "picture", "duration": range(2, 13), "resolution": {"480p", "720p", "1080p"},
            "aspect_ratio": {"16:9", "4:3", "1:1", "3:4", "9:16", "21:9", "9:21"}, "fps": {24}, "camera_fixed": bool,
            "seed": int,
        },
    ),
    "wan-video/wan-2.2-i2v-fast": Taken(
        kind="video", gives="address", required=("prompt", "image"),
        fields={
            "prompt": str, "image": "picture", "last_image": "picture", "num_frames": range(81, 122),
            "resolution": {"480p", "720p"}, "frames_per_second": range(5, 31), "interpolate_output": bool,
            "go_fast": bool, "sample_shift": float, "seed": int, "disable_safety_checker": bool,
        },
    ),
    # No model of anybody's: one of the sort that has versions, and answers with an object.
    f"stub/sketch:{VERSION}": Taken(
        kind="video", gives="object", required=("prompt", "frames"),
        fields={"prompt": str, "frames": "pictures", "negative_prompt": str, "length": range(1, 11)},
    ),
}  # fmt: skip
