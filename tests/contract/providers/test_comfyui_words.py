"""ComfyUI's words: what goes into workflows and where, and what the answers of newer and older servers mean."""

import json
import uuid
from pathlib import Path
from typing import Any

import msgspec
import pytest

from contract.providers.vendors import order_for, picture
from mutoscope.domain.catalogue import Model, validate
from mutoscope.domain.media import Kind
from mutoscope.outgoing import Answer
from mutoscope.providers.catalogue import load_catalogue
from mutoscope.providers.comfyui import wire
from mutoscope.providers.comfyui.workflow import NotAWorkflow, Workflows, filled, parsed
from stubs.comfyui_nodes import Invalid, saver

MODELS = [model for model in load_catalogue(None, []).models() if model.provider == "comfyui"]
BUILT_IN = Workflows(Path("no-such-folder"))
ANY = Model(id="any", provider="comfyui", upstream="own", name="", description="", kind=Kind.IMAGE)


def graph(*titled: tuple[str, dict[str, Any]]) -> bytes:
    """A file of nodes with these titles and inputs."""
    nodes = {
        str(n): {"class_type": "Some", "_meta": {"title": title}, "inputs": inputs}
        for n, (title, inputs) in enumerate(titled)
    }
    return json.dumps(nodes).encode()


def put_in(content: bytes, tmp_path: Path, parameters: dict[str, Any] | None = None, **fields: Any) -> Any:
    """The inputs of all nodes of a workflow that was filled for an order."""
    order = order_for(tmp_path, ANY, parameters or {}, **fields)
    nodes = filled(parsed("own", content), order, "mutoscope/a.png" if order.source else None)
    return [node["inputs"] for node in nodes.values()]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.id)
def test_every_parameter_of_every_model_reaches_a_workflow_that_a_server_takes(model: Model, tmp_path: Path) -> None:
    (tmp_path / "mutoscope").mkdir()
    source = picture(tmp_path / "mutoscope" / "a.png", 1280, 704) if model.image == "required" else None
    workflow = BUILT_IN.read(model.upstream)
    for name, parameter in model.parameters.items():
        sent = set()
        values = parameter.choices or (parameter.minimum, parameter.maximum)
        for value in values:
            order = order_for(
                tmp_path, model, validate(model, {name: value}), source=source, negative_prompt="fog",
                results=model.results_max,
            )  # fmt: skip
            made = filled(workflow, order, "mutoscope/a.png" if source else None)
            assert saver(made, tmp_path)["inputs"]["filename_prefix"] == f"mutoscope/{order.reference}"
            texts = [node["inputs"].get("text") for node in made.values()]
            assert {"a lamp by the sea", "fog"} <= set(texts)
            sent.add(json.dumps(made).replace(order.reference, ""))
        assert len(sent) == len(values), f"{name} changes nothing"


def test_the_workflow_without_a_model_is_one_that_a_server_takes(tmp_path: Path) -> None:
    order = order_for(tmp_path, ANY, {"size": "640x360", "color": 255}, prompt="", results=3)
    made = filled(BUILT_IN.read("blank"), order, None)
    assert saver(made, tmp_path)
    assert made["picture"]["inputs"] == {"width": 640, "height": 360, "batch_size": 3, "color": 255}


def test_the_stub_refuses_what_a_server_refuses(tmp_path: Path) -> None:
    made = filled(BUILT_IN.read("blank"), order_for(tmp_path, ANY, {}, prompt=""), None)
    for input, wrong in (("width", 3), ("width", "640"), ("batch_size", True), ("color", None)):
        broken = made | {"picture": {"class_type": "EmptyImage", "inputs": made["picture"]["inputs"] | {input: wrong}}}
        with pytest.raises(Invalid):
            saver(broken, tmp_path)
    with pytest.raises(Invalid, match="no outputs"):
        saver({"picture": made["picture"]}, tmp_path)


def test_a_title_says_what_goes_into_which_input(tmp_path: Path) -> None:
    content = graph(
        ("Words mutoscope:prompt", {"text": "old"}), ("mutoscope:negative_prompt", {"text": "fog"}),
        ("mutoscope:seed@noise_seed", {"noise_seed": 1, "seed": 2}), ("mutoscope:width,height@tall", {"width": 1, "tall": 1}),
        ("mutoscope:shift mutoscope:results", {"shift": 1.0, "batch_size": 1}), ("Seed", {"seed": 3}),
    )  # fmt: skip
    assert put_in(content, tmp_path, {"size": "640x360", "shift": 5.5}, seed=9, results=2, prompt='a "lamp"\n{a|b}') == [
        {"text": 'a "lamp"\n{a|b}'}, {"text": "fog"}, {"noise_seed": 9, "seed": 2}, {"width": 640, "tall": 360},
        {"shift": 5.5, "batch_size": 2}, {"seed": 3},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("duration", "fps", "frames"), [(5, 16, 81), ("5", 24.0, 121), (3.5, 12, 43)], ids=["whole", "choice", "part"]
)
def test_seconds_become_frames_by_the_workflows_own_rate(tmp_path: Path, duration: Any, fps: Any, frames: int) -> None:
    content = graph(("mutoscope:prompt", {"text": ""}), ("mutoscope:frames", {"length": 1}), ("", {"fps": fps}))
    assert put_in(content, tmp_path, {"duration_s": duration})[1] == {"length": frames}


def test_a_film_has_the_size_of_its_picture_where_nobody_chose_one(tmp_path: Path) -> None:
    content = graph(
        ("mutoscope:prompt", {"text": ""}), ("mutoscope:image,width,height", {"image": "", "width": 1, "height": 1})
    )
    source = picture(tmp_path / "a", 640, 360)
    assert put_in(content, tmp_path, source=source)[1] == {"image": "mutoscope/a.png", "width": 640, "height": 360}


@pytest.mark.parametrize(
    ("parameters", "fields", "why"),
    [
        ({}, {}, "mutoscope:prompt"),
        ({}, {"prompt": "", "negative_prompt": "fog"}, "mutoscope:negative_prompt"),
        ({}, {"prompt": "", "results": 2}, "mutoscope:results"),
        ({"steps": 3}, {"prompt": ""}, "mutoscope:steps"),
        ({"size": "8x8"}, {"prompt": ""}, "mutoscope:width,height"),
        ({"duration_s": 3}, {"prompt": ""}, "mutoscope:frames"),
    ],
)
def test_what_no_title_takes_is_refused_and_never_ignored(
    tmp_path: Path, parameters: dict[str, Any], fields: dict[str, Any], why: str
) -> None:
    with pytest.raises(NotAWorkflow, match=why):
        put_in(graph(("mutoscope:reference", {"filename_prefix": ""})), tmp_path, parameters, **fields)


def test_a_workflow_that_wants_what_the_order_does_not_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotAWorkflow, match="wants a picture"):
        put_in(graph(("mutoscope:image", {"image": "example.png"})), tmp_path, prompt="")
    with pytest.raises(NotAWorkflow, match="wants frames"):
        put_in(graph(("mutoscope:frames", {"length": 1})), tmp_path, {"duration_s": 2}, prompt="")
    with pytest.raises(NotAWorkflow, match="mutoscope:image"):
        put_in(graph(("mutoscope:prompt", {"text": ""})), tmp_path, source=picture(tmp_path / "a", 64, 64))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"{", "not JSON"), (b"\xff", "not JSON"), (b"[]", "API format"), (b"{}", "API format"),
        (b'{"nodes": [], "links": []}', "API format"), (b'{"1": {"class_type": "A"}}', "API format"),
        (graph(("mutoscope:seed", {"noise_seed": 1})), "'seed'; it has none"),
        (graph(("mutoscope:seed", {"seed": ["2", 0]})), "comes from another node"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_workflow_is_refused_with_what_to_do(content: bytes, why: str) -> None:
    with pytest.raises(NotAWorkflow, match=why):
        parsed("own", content)


def test_an_operators_file_goes_before_the_packages_and_is_read_as_it_is_now(tmp_path: Path) -> None:
    workflows = Workflows(tmp_path)
    assert "checkpoint" in workflows.read("sdxl").graph
    (tmp_path / "sdxl.json").write_bytes(graph(("mutoscope:prompt", {"text": ""})))
    assert list(workflows.read("sdxl").graph) == ["0"]
    (tmp_path / "sdxl.json").write_bytes(b"{")
    assert workflows.broken() == ["workflow sdxl: it is not JSON (Input data was truncated)"]
    with pytest.raises(NotAWorkflow, match="not JSON"):
        workflows.read("sdxl")


@pytest.mark.parametrize("name", ["../secrets", "a/b", "", ".", "A", "a.b", "a\n", "x" * 65])
def test_a_name_never_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "secrets.json").write_bytes(graph(("", {})))
    with pytest.raises(NotAWorkflow, match="cannot be the name"):
        Workflows(tmp_path / "workflows").read(name)


def test_an_id_is_the_same_for_the_same_reference_for_ever() -> None:
    assert wire.id_for("gen_01") == "c98d96b1-a420-5555-a1f5-9feb48ddda82"
    assert str(uuid.UUID(wire.id_for("gen_01"))) == wire.id_for("gen_01") != wire.id_for("gen_02")


def item(name: str, type: str = "output", **more: Any) -> dict[str, Any]:
    return {"filename": name, "subfolder": "", "type": type} | more


@pytest.mark.parametrize(
    ("outputs", "names"),
    [
        ({"9": {"images": [item("a.png"), item("b.PNG")]}, "10": {"images": [item("c.jpg")]}}, ["a.png", "b.PNG", "c.jpg"]),
        # SaveVideo; VHS_VideoCombine; others.
        ({"9": {"images": [item("a.mp4")], "animated": [True]}}, ["a.mp4"]),
        ({"9": {"gifs": [item("a.webm", format="video/webm")]}, "8": {"images": [item("still.png")]}}, ["a.webm"]),
        ({"9": {"video": [item("a.mkv")]}}, ["a.mkv"]),
        # Previews, inputs, other things, and what makes no sense.
        ({"9": {"images": [item("a.png", "temp"), item("b.png", "input"), item("c.png")]}}, ["c.png"]),
        ({"9": {"text": ["a.png"], "audio": [item("a.flac")], "3d": [item("a.glb")]}, "8": None, "7": {"images": None}}, []),
        ({"9": {"images": [None, {"filename": 7, "type": "output"}, {"type": "output"}]}}, []),
    ],
)  # fmt: skip
def test_results_are_the_files_that_were_saved_films_before_pictures(outputs: Any, names: list[str]) -> None:
    found = wire.outputs_of(wire.Job(status="completed", outputs=outputs), "http://gpu:8188")
    assert [output.url for output in found] == [
        f"http://gpu:8188/view?filename={name}&subfolder=&type=output" for name in names
    ]


def test_a_file_of_any_name_stays_within_its_question() -> None:
    strange = item("a&type=input#?/..%2f ä.png", subfolder="sub folder/x")
    [output] = wire.outputs_of(wire.Job(outputs={"1": {"images": [strange]}}), "http://gpu")
    expected = "filename=a%26type%3Dinput%23%3F%2F..%252f%20%C3%A4.png&subfolder=sub%20folder%2Fx&type=output"
    assert output.url == f"http://gpu/view?{expected}"


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({"status_str": "success", "completed": True, "messages": []}, "completed"),
        (None, "completed"),
        ({"status_str": "error", "messages": [["execution_start", {}], ["execution_interrupted", {}]]}, "cancelled"),
        (
            {"status_str": "error", "messages": [["execution_error", {"node_id": "3", "node_type": "KSampler"}]]},
            "failed",
        ),
        ({"status_str": "error", "messages": []}, "failed"),
        ({"status_str": "dreamt", "messages": []}, "dreamt"),
    ],
)
def test_the_history_of_an_older_server_means_the_same(status: Any, expected: str) -> None:
    past = msgspec.convert({"prompt": [], "outputs": {}, "status": status}, wire.Past)
    assert wire.job_of(past).status == expected


def test_what_is_wrong_with_a_workflow_is_told_by_node() -> None:
    body = json.dumps({
        "error": {"type": "prompt_outputs_failed_validation", "message": "Prompt outputs failed validation", "details": ""},
        "node_errors": {"4": {"class_type": "CheckpointLoaderSimple", "errors": [
            {"type": "value_not_in_list", "message": "Value not in list", "details": "ckpt_name: 'x' not in []"}]}},
    }).encode()  # fmt: skip
    said = wire.words_of(Answer(status=400, headers={}, body=body, where="gpu"))
    assert "node 4 (CheckpointLoaderSimple): Value not in list: ckpt_name: 'x' not in []" in said
    for other in (b"", b"<html>", b"[]", b'{"error": {}}', b'{"error": "no", "node_errors": []}'):
        assert wire.words_of(Answer(status=400, headers={}, body=other, where="gpu")) in ("", "no")
