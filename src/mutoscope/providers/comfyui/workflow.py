"""Workflows as files: graphs in ComfyUI's API format whose nodes say in their titles what is to be put in.

A title that holds ``mutoscope:prompt`` puts the prompt into that node's input; ``mutoscope:seed@noise_seed`` names the
input; ``mutoscope:width,height`` puts two in. See docs/providers/comfyui.md for all names.
"""

import copy
import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, cast

import msgspec

from mutoscope.domain.source import sides
from mutoscope.providers.comfyui.wire import FOLDER
from mutoscope.providers.port import Order

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
TITLE = re.compile(r"mutoscope:([A-Za-z0-9_@,]+)")
INPUTS: Mapping[str, str] = {
    "prompt": "text", "negative_prompt": "text", "results": "batch_size", "frames": "length",
    "reference": "filename_prefix",
}  # fmt: skip
"""The input that a value goes into where the title does not name one; all others go into the one of their own name."""
FILE_BYTES = 4 * 1024 * 1024


class NotAWorkflow(Exception):
    """A workflow that cannot be used, and why, for the operator."""


class Place(msgspec.Struct, frozen=True):
    """An input of a node, and the name of the value that goes there."""

    node: str
    input: str
    value: str


class Workflow(msgspec.Struct, frozen=True):
    """One graph, and where values go."""

    name: str
    graph: dict[str, dict[str, Any]]
    places: tuple[Place, ...]

    @property
    def samplers(self) -> int:
        """How many of its nodes go in steps, about: they take nearly all of the time."""
        return sum("steps" in node["inputs"] for node in self.graph.values())

    @property
    def fps(self) -> float | None:
        """Frames a second of what it saves; None where no node or more than one says."""
        found = {node["inputs"].get("fps") for node in self.graph.values()} - {None}
        only = found.pop() if len(found) == 1 else None
        return only if isinstance(only, int | float) else None


class Workflows:
    """Those in the operator's folder, and those of the package under names that he does not use."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, name: str) -> Workflow:
        """One workflow, as its file is now. Raises NotAWorkflow."""
        if not NAME.fullmatch(name):
            raise NotAWorkflow(f"{name!r} cannot be the name of a workflow: use small letters, digits, - and _")
        own = self._folder / f"{name}.json"
        built_in = resources.files("mutoscope.providers.comfyui").joinpath("workflows", f"{name}.json")
        try:
            if own.is_file():
                if own.stat().st_size > FILE_BYTES:
                    raise NotAWorkflow(f"{own} is larger than {FILE_BYTES} bytes")
                return parsed(name, own.read_bytes())
            return parsed(name, built_in.read_bytes())
        except FileNotFoundError:
            raise NotAWorkflow(f"there is no {own}") from None
        except OSError as e:
            raise NotAWorkflow(f"{own} cannot be read: {e.strerror}") from None

    def broken(self) -> list[str]:
        """What is wrong with the files of the operator's folder, a sentence each."""
        found: list[str] = []
        for path in sorted(self._folder.glob("*.json")):
            try:
                self.read(path.stem)
            except NotAWorkflow as e:
                found.append(f"workflow {path.stem}: {e}")
        return found


def parsed(name: str, content: bytes) -> Workflow:
    """A workflow from its file. Raises NotAWorkflow."""
    try:
        graph: Any = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError) as e:
        raise NotAWorkflow(f"it is not JSON ({e})") from None
    if not _is_graph(graph):
        raise NotAWorkflow("it is not in the API format: save it again with Export (API)")
    graph = cast(dict[str, dict[str, Any]], graph)
    return Workflow(name, graph, tuple(place for id, node in graph.items() for place in _places(id, node)))


def filled(workflow: Workflow, order: Order, image: str | None) -> dict[str, dict[str, Any]]:
    """The graph for an order; ``image`` names the source picture at the server. Raises NotAWorkflow.

    What the order says and no input takes is refused: nobody pays for a setting that does nothing.
    """
    values = _values(workflow, order, image)
    _check(workflow, order, values)
    graph = copy.deepcopy(workflow.graph)
    for place in workflow.places:
        if place.value in values:
            graph[place.node]["inputs"][place.input] = values[place.value]
    return graph


def _is_graph(graph: Any) -> bool:
    nodes = list(cast(dict[str, Any], graph).values()) if isinstance(graph, dict) else []
    return bool(nodes) and all(
        isinstance(node, dict) and isinstance(node.get("class_type"), str) and isinstance(node.get("inputs"), dict)
        for node in nodes
    )


def _places(id: str, node: Mapping[str, Any]) -> list[Place]:
    meta = node.get("_meta")
    title = str(cast(dict[str, Any], meta).get("title", "")) if isinstance(meta, dict) else ""
    places: list[Place] = []
    for names in TITLE.findall(title):
        for named in filter(None, names.split(",")):
            value, _, input = named.partition("@")
            place = Place(id, input or INPUTS.get(value, value), value)
            if place.input not in node["inputs"]:
                raise NotAWorkflow(f"node {id}: {named!r} in its title means its input {place.input!r}; it has none")
            if isinstance(node["inputs"][place.input], list):
                raise NotAWorkflow(f"node {id}: its input {place.input!r} comes from another node: title that one")
            places.append(place)
    return places


def _values(workflow: Workflow, order: Order, image: str | None) -> dict[str, Any]:
    values: dict[str, Any] = {"prompt": order.prompt, "seed": order.seed, "results": order.results, **order.parameters}
    values["reference"] = f"{FOLDER}/{order.reference}"
    if order.negative_prompt:
        # Without one, that of the file stays.
        values["negative_prompt"] = order.negative_prompt
    if image is not None and order.source is not None:
        values |= {"image": image, "width": order.source.width, "height": order.source.height}
    if isinstance(size := order.parameters.get("size"), str):
        values["width"], values["height"] = sides(size)
    fps = values.get("fps", workflow.fps)
    if "duration_s" in values and fps is not None:
        # The first frame is at 0 s: 5 s at 16 frames a second are 81.
        values["frames"] = round(float(values["duration_s"]) * fps) + 1
    return values


def _check(workflow: Workflow, order: Order, values: Mapping[str, Any]) -> None:
    taken = {place.value for place in workflow.places}
    wanted = {
        "prompt": bool(order.prompt),
        "negative_prompt": bool(order.negative_prompt),
        "results": order.results > 1,
        "image": order.source is not None,
        **{name: True for name in order.parameters if name not in ("size", "duration_s")},
    }
    lost = [name for name, matters in wanted.items() if matters and name not in taken]
    if "size" in order.parameters and not {"width", "height"} <= taken and "size" not in taken:
        lost.append("width,height")
    if "duration_s" in order.parameters and not {"frames", "duration_s"} & taken:
        lost.append("frames")
    if lost:
        raise NotAWorkflow(f"workflow {workflow.name}: no title has mutoscope:{', mutoscope:'.join(lost)}")
    if "image" in taken and order.source is None:
        raise NotAWorkflow(f"workflow {workflow.name} wants a picture, and its model takes none")
    if "frames" in taken and "frames" not in values:
        raise NotAWorkflow(
            f"workflow {workflow.name} wants frames, and there is no fps (or no duration_s) to count them"
        )
