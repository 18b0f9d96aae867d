"""The nodes that the stub of ComfyUI has, and its check of a workflow, as execution.py of ComfyUI (2026-10) has it."""

from pathlib import Path
from typing import Any

SEED = ("INT", 0, 0xFFFFFFFFFFFFFFFF)
SIDE, MANY, STEPS, SCALE = ("INT", 16, 16384), ("INT", 1, 4096), ("INT", 1, 10000), ("FLOAT", 0.0, 100.0)
SAMPLERS, SCHEDULERS = {"euler", "dpmpp_2m", "uni_pc"}, {"normal", "karras", "simple"}

NODES: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "CheckpointLoaderSimple": ({"ckpt_name": {"sd_xl_base_1.0.safetensors"}}, ("MODEL", "CLIP", "VAE")),
    "UNETLoader": (
        {"unet_name": {"wan2.2_ti2v_5B_fp16.safetensors"}, "weight_dtype": {"default", "fp8_e4m3fn"}}, ("MODEL",),
    ),
    "CLIPLoader": (
        {"clip_name": {"umt5_xxl_fp8_e4m3fn_scaled.safetensors"}, "type": {"wan", "stable_diffusion"},
         "device?": {"default", "cpu"}}, ("CLIP",),
    ),
    "VAELoader": ({"vae_name": {"wan2.2_vae.safetensors"}}, ("VAE",)),
    "ModelSamplingSD3": ({"model": "MODEL", "shift": SCALE}, ("MODEL",)),
    "CLIPTextEncode": ({"text": "STRING", "clip": "CLIP"}, ("CONDITIONING",)),
    "EmptyLatentImage": ({"width": SIDE, "height": SIDE, "batch_size": MANY}, ("LATENT",)),
    "Wan22ImageToVideoLatent": (
        {"vae": "VAE", "width": SIDE, "height": SIDE, "length": MANY, "batch_size": MANY, "start_image?": "IMAGE"},
        ("LATENT",),
    ),
    "KSampler": (
        {"model": "MODEL", "seed": SEED, "steps": STEPS, "cfg": SCALE, "sampler_name": SAMPLERS,
         "scheduler": SCHEDULERS, "positive": "CONDITIONING", "negative": "CONDITIONING", "latent_image": "LATENT",
         "denoise": ("FLOAT", 0.0, 1.0)}, ("LATENT",),
    ),
    "VAEDecode": ({"samples": "LATENT", "vae": "VAE"}, ("IMAGE",)),
    "LoadImage": ({"image": "FILE"}, ("IMAGE", "MASK")),
    "EmptyImage": (
        {"width": SIDE, "height": SIDE, "batch_size": MANY, "color": ("INT", 0, 0xFFFFFF)}, ("IMAGE",),
    ),
    "CreateVideo": ({"images": "IMAGE", "fps": ("FLOAT", 1.0, 120.0), "audio?": "AUDIO"}, ("VIDEO",)),
    "SaveImage": ({"images": "IMAGE", "filename_prefix": "STRING"}, ()),
    # Newer servers want the codec as a part of the format, older ones beside it.
    "SaveVideo": (
        {"video": "VIDEO", "filename_prefix": "STRING", "format": {"auto", "mp4", "mkv", "webm"},
         "format.codec": {"auto", "h264", "av1"}, "codec": {"auto", "h264"}}, (),
    ),
}  # fmt: skip
"""By class: its inputs ("?" marks one that may be missing) and what it puts out. Text in capitals is the type of a link."""


class Invalid(Exception):
    """A workflow that is refused: the two parts of the answer."""

    def __init__(self, kind: str, message: str, details: str = "", nodes: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        error = {"type": kind, "message": message, "details": details, "extra_info": {}}
        self.body = {"error": error, "node_errors": nodes or {}}


def saver(graph: dict[str, Any], inputs: Path) -> dict[str, Any]:
    """The one node that saves, of a workflow that is right. Raises Invalid. ``inputs`` is the folder of uploads."""
    for id, node in graph.items():
        if node.get("class_type") not in NODES:
            raise Invalid("missing_node_type", f"Node '{node.get('class_type')}' not found.", f"Node ID '#{id}'")
    wrong = {id: errors for id, node in graph.items() if (errors := _errors(graph, node, inputs))}
    if wrong:
        nodes = {
            id: {"errors": errors, "dependent_outputs": [], "class_type": graph[id]["class_type"]}
            for id, errors in wrong.items()
        }
        raise Invalid("prompt_outputs_failed_validation", "Prompt outputs failed validation", nodes=nodes)
    savers = [node for node in graph.values() if not NODES[node["class_type"]][1]]
    if not savers:
        raise Invalid("prompt_no_outputs", "Prompt has no outputs")
    return savers[0]


def _errors(graph: dict[str, Any], node: dict[str, Any], inputs: Path) -> list[dict[str, Any]]:
    wanted, given, errors = NODES[node["class_type"]][0], node["inputs"], list[dict[str, Any]]()
    names = {name.rstrip("?") for name in wanted}
    for name in set(given) - names:
        errors.append(
            _error("unknown_input", "Unknown input", name)
        )  # ComfyUI lets it pass; nothing of ours should need that
    for marked, kind in wanted.items():
        name = marked.rstrip("?")
        if name in given:
            errors += _wrong(graph, name, kind, given[name], inputs)
        elif not marked.endswith("?"):
            errors.append(_error("required_input_missing", "Required input is missing", name))
    return errors


def _wrong(graph: dict[str, Any], name: str, kind: Any, value: Any, inputs: Path) -> list[dict[str, Any]]:
    match kind:
        case "STRING":
            right = isinstance(value, str)
        case "FILE":
            if not isinstance(value, str) or not (inputs / value).is_file():
                return [
                    _error(
                        "custom_validation_failed", "Custom validation failed for node", f"{name} - Invalid image file"
                    )
                ]
            return []
        case str():
            return _wrong_link(graph, name, kind, value)
        case set():
            return (
                []
                if value in kind
                else [_error("value_not_in_list", "Value not in list", f"{name}: '{value}' not in list")]
            )
        case (type, low, high):
            right = isinstance(value, int if type == "INT" else (int, float)) and not isinstance(value, bool)
            if right and not low <= value <= high:
                more = "bigger than max" if value > high else "smaller than min"
                return [_error(f"value_{more.replace(' ', '_')}", f"Value {value} {more}", name)]
        case _:
            raise AssertionError(kind)
    return [] if right else [_error("invalid_input_type", "Failed to convert an input value", name)]


def _wrong_link(graph: dict[str, Any], name: str, kind: str, value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list) or len(value) != 2 or value[0] not in graph:
        return [_error("bad_linked_input", "Bad linked input, must be a length-2 list", name)]
    outputs = NODES[graph[value[0]]["class_type"]][1]
    if not isinstance(value[1], int) or not 0 <= value[1] < len(outputs) or outputs[value[1]] != kind:
        return [_error("return_type_mismatch", "Return type mismatch between linked nodes", name)]
    return []


def _error(kind: str, message: str, details: str) -> dict[str, Any]:
    return {"type": kind, "message": message, "details": details, "extra_info": {}}
