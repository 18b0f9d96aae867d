"""The providers that the contract is asked of: a line for each, and no provider is left out of any question silently.

A peer names its stub, how to open its adapter, and the offers that are tried: one for each way in which it makes
things. What a provider cannot be asked at all (a cancel where there is none) it says here, in ``cannot``.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from mutoscope.domain.media import Kind
from mutoscope.providers.port import Provider
from stubs.vendor import KEY

Cannot = Literal["cancel", "webhook", "several", "fresh_address", "moderate_result", "find", "answer_at_once"]


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """One way of making something. ``at_once``: the result comes with the answer to the order."""

    upstream: str
    kind: Kind
    at_once: bool = False
    source_size: tuple[int, int] | None = None
    parameters: Mapping[str, Any] = {}
    named_by: Literal["prompt", "reference"] = "prompt"
    """By what its stub tells jobs apart."""
    cannot: frozenset[Cannot] = frozenset()
    status_of: Mapping[str, str] = {}
    """What a refusal (see `book.Script.submit`) means at this provider, where it is not what its name says."""


class Peer(msgspec.Struct, frozen=True, kw_only=True):
    """One provider. ``open`` is given the address of its stub."""

    stub: str
    open: Callable[[str], Provider]
    offers: Mapping[str, Offer]


def _stability(address: str) -> Provider:
    from mutoscope.providers.stability.adapter import StabilityProvider

    return StabilityProvider(KEY, address)


def _openai_images(address: str) -> Provider:
    from mutoscope.providers.openai_images.adapter import OpenAIImages

    return OpenAIImages(KEY, f"{address}/v1")


def _video_server(dialect: str) -> Callable[[str], Provider]:
    from mutoscope.providers.openai_videos.adapter import VideoServer

    return lambda address: VideoServer("one", f"{address}/{dialect}/v1", KEY, slots=8)


def _replicate(address: str) -> Provider:
    from mutoscope.providers.replicate.adapter import ReplicateProvider

    return ReplicateProvider(KEY, address)


def _fal(address: str) -> Provider:
    from mutoscope.providers.fal.adapter import FalProvider

    return FalProvider(KEY, address)


def _comfyui(path: str) -> Callable[[str], Provider]:
    from mutoscope.providers.comfyui.adapter import ComfyProvider
    from mutoscope.providers.comfyui.workflow import Workflows

    return lambda address: ComfyProvider([f"{address}{path}"], Workflows(Path("no-such-folder")), slots=8)


# Such a server knows no money, no retired models and no moderation, and its files have one address.
_NO_SUCH: frozenset[Cannot] = frozenset({"webhook", "fresh_address", "moderate_result"})
_JUST_NO = {"moderate": "invalid", "credit": "invalid", "retired": "invalid"}

PEERS: dict[str, Peer] = {
    "stability": Peer(
        stub="stubs.stability",
        open=_stability,
        offers={
            "image": Offer(
                upstream="sd3/sd3.5-large", kind=Kind.IMAGE, at_once=True, parameters={"aspect_ratio": "3:2"},
                cannot=frozenset({"cancel", "webhook", "several", "fresh_address", "find"}),
            ),
            "film": Offer(
                upstream="image-to-video", kind=Kind.VIDEO, source_size=(1024, 576), named_by="reference",
                parameters={"motion_bucket_id": 100, "cfg_scale": 1.8},
                cannot=frozenset({"webhook", "several", "fresh_address", "find"}),
            ),
        },
    ),
    "openai_images": Peer(
        stub="stubs.openai_images",
        open=_openai_images,
        offers={
            "picture": Offer(
                upstream="gpt-image-2", kind=Kind.IMAGE, at_once=True,
                parameters={"size": "1536x1024", "quality": "medium", "output_format": "png"},
                cannot=frozenset({"cancel", "webhook", "fresh_address", "find"}),
            ),
            "edited": Offer(
                upstream="gpt-image-2", kind=Kind.IMAGE, at_once=True, source_size=(256, 192),
                parameters={"size": "1024x1024", "quality": "low", "output_compression": 80},
                cannot=frozenset({"cancel", "webhook", "fresh_address", "find"}),
            ),
        },
    ),
    "openai_videos": Peer(
        stub="stubs.openai_videos",
        open=_video_server("omni"),
        offers={
            "film": Offer(
                upstream="Wan-AI/Wan2.2-T2V-A14B-Diffusers", kind=Kind.VIDEO, cannot=frozenset({"webhook", "several", "find"}),
                parameters={"size": "1280x720", "duration_s": 5, "fps": 16, "guidance_scale": 4.5},
            ),
            "animated": Offer(
                upstream="Wan-AI/Wan2.2-I2V-A14B-Diffusers", kind=Kind.VIDEO, source_size=(832, 480),
                parameters={"duration_s": 5}, cannot=frozenset({"webhook", "several", "find"}),
            ),
        },
    ),
    "openai_videos_plain": Peer(
        stub="stubs.openai_videos",
        open=_video_server("plain"),
        offers={
            "film": Offer(
                upstream="sora-2?seed=", kind=Kind.VIDEO, parameters={"size": "1280x720", "duration_s": 4},
                cannot=frozenset({"cancel", "webhook", "several", "find"}),
            ),
        },
    ),
    "replicate": Peer(
        stub="stubs.replicate",
        open=_replicate,
        offers={
            "image": Offer(
                upstream="black-forest-labs/flux-schnell", kind=Kind.IMAGE, parameters={"aspect_ratio": "3:2"},
                cannot=frozenset({"fresh_address", "find"}),
            ),
            "film": Offer(
                upstream="bytedance/seedance-1-pro-fast?size=resolution", kind=Kind.VIDEO,
                parameters={"size": "480p", "duration_s": 5, "camera_fixed": True},
                cannot=frozenset({"several", "fresh_address", "find"}),
            ),
            "film-from-picture": Offer(
                upstream=f"stub/sketch:{'5c7d5dc6dd8bf75c' * 4}?seed=&image=frames[]&duration_s=length",
                kind=Kind.VIDEO, source_size=(640, 360), parameters={"duration_s": 5},
                cannot=frozenset({"several", "fresh_address", "find"}),
            ),
        },
    ),
    "fal": Peer(
        stub="stubs.fal",
        open=_fal,
        offers={
            "image": Offer(
                upstream="fal-ai/flux/dev", kind=Kind.IMAGE, cannot=frozenset({"fresh_address", "find"}),
                parameters={"size": "1024x768", "guidance_scale": 3.5, "output_format": "png"},
            ),
            "film": Offer(
                upstream="fal-ai/ltx-2.3/text-to-video/fast?size=resolution&seed=", kind=Kind.VIDEO,
                parameters={"size": "1080p", "duration_s": 6, "generate_audio": True},
                cannot=frozenset({"several", "fresh_address", "find"}),
            ),
            "animated": Offer(
                upstream="fal-ai/kling-video/v2.6/pro/image-to-video?image=start_image_url&seed=", kind=Kind.VIDEO,
                source_size=(832, 480), parameters={"duration_s": "5"},
                cannot=frozenset({"several", "fresh_address", "find"}),
            ),
        },
    ),
    "comfyui": Peer(
        stub="stubs.comfyui",
        open=_comfyui(""),
        offers={
            "image": Offer(
                upstream="sdxl", kind=Kind.IMAGE, named_by="reference", cannot=_NO_SUCH, status_of=_JUST_NO,
                parameters={"size": "832x1216", "steps": 30, "cfg": 6.5},
            ),
            "film": Offer(
                upstream="wan22-words", kind=Kind.VIDEO, named_by="reference", cannot=_NO_SUCH | {"several"},
                status_of=_JUST_NO, parameters={"size": "1280x704", "duration_s": 5},
            ),
            "film-from-picture": Offer(
                upstream="wan22-picture", kind=Kind.VIDEO, source_size=(1280, 704), named_by="reference",
                cannot=_NO_SUCH | {"several"}, status_of=_JUST_NO, parameters={"duration_s": 3},
            ),
        },
    ),
    "comfyui_old": Peer(
        stub="stubs.comfyui",
        open=_comfyui("/old"),
        offers={
            "image": Offer(
                upstream="sdxl", kind=Kind.IMAGE, named_by="reference", cannot=_NO_SUCH, status_of=_JUST_NO,
                parameters={"size": "1024x1024"},
            ),
        },
    ),
}  # fmt: skip
