"""Each command, against a studio that runs and against one that does not: the same answers."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.command import Ran, Server, mutoscope

STILL = ("generate", "A lamp", "--model", "local/still", "--json")


@pytest.fixture(scope="module", params=["running", "closed"])
def data(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The data folder of a studio with alice, who administers it and has tokens."""
    folder = tmp_path_factory.mktemp(request.param) / "data"
    if request.param == "closed":
        populate(folder)
        yield folder
        return
    with Server(folder) as server:
        populate(folder)
        yield folder
        assert "GET /" not in server.log.read_text()


def populate(data: Path) -> None:
    assert mutoscope(data, "user", "create", "alice", "--role", "admin").code == 0
    assert mutoscope(data, "tokens", "grant", "alice", "100", "--reference", "start").code == 0


def test_an_address_is_set_told_and_removed(data: Path) -> None:
    assert mutoscope(data, "user", "email", "alice").out == "alice has no e-mail address\n"
    assert mutoscope(data, "user", "email", "ALICE", "Alice@Mail.Example").out == "Alice@mail.example\n"
    assert mutoscope(data, "user", "email", "alice", "--json").json == {"name": "alice", "email": "Alice@mail.example"}
    refused = mutoscope(data, "user", "email", "alice", "alice@mail.example\r\nBcc: x@y.example", "--json")
    assert (refused.code, refused.error["code"]) == (1, "invalid")
    assert mutoscope(data, "user", "email", "nobody", "x@y.example").code == 1
    assert mutoscope(data, "user", "email", "alice", "--remove").out == "alice has no e-mail address\n"


def test_a_user_is_made_once_and_gets_a_password(data: Path) -> None:
    made = mutoscope(data, "user", "create", "bob", "--json").json
    assert {"name": "bob", "role": "user"}.items() <= made.items()
    assert len(made["password"]) >= 12
    again = mutoscope(data, "user", "create", "bob", "--json")
    assert (again.code, again.out) == (1, "")
    assert again.error["code"] == "conflict"


def test_a_password_that_was_given_is_not_repeated(data: Path) -> None:
    ran = mutoscope(data, "user", "create", "dora", "--password-stdin", "--json", stdin="a horse and a battery\n")
    assert ran.json["password"] is None
    assert "battery" not in ran.out + ran.err


def test_a_reference_grants_once(data: Path) -> None:
    grant = ("tokens", "grant", "alice", "7", "--reference", "a-present", "--json")
    first = mutoscope(data, *grant).json
    assert mutoscope(data, *grant).json == first
    assert set(first) == {"available", "held"}


def test_a_key_orders_once_and_the_item_is_there(data: Path) -> None:
    job = mutoscope(data, *STILL, "--key", "lamp", "--set", "size=1280x720", "--seed", "3").json
    assert (job["status"], job["seed"]) == ("succeeded", 3)
    assert (job["media"][0]["width"], job["media"][0]["height"]) == (1280, 720)
    again = mutoscope(data, *STILL, "--key", "lamp", "--set", "size=1280x720", "--seed", "3").json
    assert again["id"] == job["id"]
    other = mutoscope(data, *STILL, "--key", "lamp", "--seed", "4", "--no-wait")
    assert (other.code, other.error["code"]) == (1, "idempotency_key_reused")
    found = mutoscope(data, "media", "list", "--scope", "library", "--as", "alice", "--json").json
    assert [item["id"] for item in found["items"]].count(job["media"][0]["id"]) == 1


def test_what_is_refused_ends_with_1_and_says_why(data: Path) -> None:
    def refused(*arguments: str) -> str:
        ran: Ran = mutoscope(data, "--json", *arguments)
        assert (ran.code, ran.out) == (1, "")
        return ran.error["code"]

    assert refused("generate", "x", "--model", "nobody/knows") == "unknown_model"
    assert refused("generate", "x", "--as", "zacharias") == "wrong_credentials"
    assert refused("tokens", "grant", "zacharias", "5") == "not_found"
    assert refused("tokens", "grant", "alice", "0") == "invalid"
    for_people = mutoscope(data, "generate", "x", "--results", "99")
    assert for_people.err.startswith("mutoscope: ")
    assert "results: from 1 to 4" in for_people.err


def test_the_doctor_looks_at_every_part(data: Path) -> None:
    findings = mutoscope(data, "doctor", "--json")
    parts = {finding["part"]: finding["good"] for finding in json.loads(findings.out)}
    assert next(iter(parts)) == "settings"
    assert {"database", "ledger", "media", "models", "jail", "disk", "clock"} <= set(parts)
    assert findings.code == (0 if all(parts.values()) else 1)
    ledger = mutoscope(data, "doctor", "--ledger", "--json").json
    assert [(finding["part"], finding["good"]) for finding in ledger] == [("ledger", True)]


def test_models_are_listed_with_price_and_provider_and_one_is_offered_again(data: Path) -> None:
    [still] = [line for line in mutoscope(data, "models", "list", "--json").json if line["id"] == "local/still"]
    assert {
        "status": "usable",
        "provider": "local",
        "upstream": "still",
        "why": "",
        "cost_usd": 0.0,
    }.items() <= still.items()
    assert still["price"]["base"] == 1
    said = mutoscope(data, "models", "list").out
    assert "local/dream: usable, 2 tokens a second, cost not given, dream at local\n" in said
    assert mutoscope(data, "models", "restore", "local/still", "--json").json == still
    unknown = mutoscope(data, "models", "restore", "nobody/knows", "--json")
    assert (unknown.code, unknown.error["code"]) == (1, "unknown_model")


def test_a_backup_is_made_and_looked_at(data: Path, tmp_path: Path) -> None:
    saved = mutoscope(data, "backup", str(tmp_path / "copy"), "--verify", "--json").json
    assert saved["verified"]["wrong"] == []
    assert saved["manifest"]["objects"] == saved["verified"]["objects"]
    assert mutoscope(tmp_path / "copy", "doctor", "--ledger", "--json").json[0]["good"]
    inside = mutoscope(data, "backup", str(data / "copy"), "--json")
    assert (inside.code, inside.error["code"]) == (1, "invalid")


def test_a_backup_of_what_was_broken_before_is_not_called_whole(data: Path, tmp_path: Path) -> None:
    job = mutoscope(data, *STILL, "--key", "to be broken").json
    [master] = data.glob(f"media/images/{job['media'][0]['id']}/master.*")
    good = master.read_bytes()
    master.write_bytes(good[:-1] + b"?")
    ran = mutoscope(data, "backup", str(tmp_path / "copy"), "--verify", "--json")
    master.write_bytes(good)
    saved = json.loads(ran.out)
    assert ran.code == 1
    assert [key.split("/")[1] for key in saved["manifest"]["damaged"]] == [job["media"][0]["id"]]
    assert len(saved["verified"]["wrong"]) == 1


def test_people_get_sentences_instead_of_json(data: Path) -> None:
    assert mutoscope(data, "tokens", "grant", "alice", "1").out.startswith("alice has ")
    assert mutoscope(data, "media", "list", "kind:video").out == "Nothing found.\n"


def test_an_unknown_outcome_is_listed_and_only_a_job_there_is_can_be_resolved(data: Path) -> None:
    assert mutoscope(data, "jobs", "unknown", "--json").json == {"items": [], "next": None}
    nobody = mutoscope(data, "jobs", "resolve", "gen_none", "--failed", "--json")
    assert (nobody.code, nobody.error["code"]) == (1, "not_found")
    assert mutoscope(data, "jobs", "resolve", "gen_none").code == 2


def test_a_key_is_made_printed_once_listed_and_revoked(data: Path) -> None:
    made = mutoscope(
        data, "keys", "create", "nightly", "--scope", "read", "--scope", "admin", "--days", "3", "--json"
    ).json
    assert made["secret"].startswith("mto_")
    assert made["key"]["scopes"] == ["read", "admin"]
    listed = mutoscope(data, "keys", "list")
    assert f"{made['key']['id']} nightly: read, admin; ends " in listed.out
    assert made["secret"] not in listed.out
    assert mutoscope(data, "keys", "revoke", made["key"]["id"]).code == 0
    assert mutoscope(data, "keys", "list").out == "No keys.\n"
    again = mutoscope(data, "keys", "revoke", made["key"]["id"], "--json")
    assert (again.code, again.error["code"]) == (1, "not_found")


def test_an_invitation_is_made_its_link_printed_once_listed_and_taken_back(data: Path) -> None:
    made = mutoscope(data, "invites", "create", "--uses", "3", "--tokens", "5", "--note", "friends", "--json").json
    assert "/register?invite=" in made["url"]
    listed = mutoscope(data, "invites", "list").out
    assert f"{made['invite']['id']} 0 of 3 used, ends " in listed
    assert made["url"].partition("=")[2] not in listed
    assert mutoscope(data, "invites", "revoke", made["invite"]["id"]).code == 0
    assert mutoscope(data, "invites", "list").out == "No invitations.\n"


def test_a_link_for_a_new_password_is_printed(data: Path) -> None:
    made = mutoscope(data, "user", "reset", "alice", "--json").json
    assert "/reset?link=" in made["url"]
    nobody = mutoscope(data, "user", "reset", "nobody-here", "--json")
    assert (nobody.code, nobody.error["code"]) == (1, "wrong_credentials")
