"""When a link stands, and how long one may last."""

import pytest
from msgspec import structs

import cast
from cast import NOON
from mutoscope.domain.errors import Invalid
from mutoscope.domain.ids import HOUR
from mutoscope.domain.media import BLURRED, Variant, Visibility
from mutoscope.domain.rights import Viewer, allowed, may_change, sees_withheld
from mutoscope.domain.sharing import HOURS_MAX, ShareLink, check_link_password, end_of, is_secret, opens, stands
from mutoscope.services.proofs import Proofs

LINK = ShareLink(
    id=cast.ids.new("shr"), secret_hash="x", target="med_x", owner_id="usr_x", made_by="usr_x", created_at=NOON
)


def test_a_link_stands_until_it_is_revoked_or_its_moment_comes() -> None:
    assert stands(LINK, NOON + 10**12)
    assert stands(structs.replace(LINK, expires_at=NOON + 1), NOON)
    assert not stands(structs.replace(LINK, expires_at=NOON), NOON)
    assert not stands(structs.replace(LINK, revoked_at=NOON), NOON)


def test_a_link_opens_nothing_while_its_owner_is_suspended() -> None:
    assert opens(LINK, cast.alice(), NOON)
    assert not opens(LINK, cast.person("dave", suspended_at=NOON), NOON)


@pytest.mark.parametrize("hours", [0, -1, HOURS_MAX + 1])
def test_a_link_lasts_from_an_hour_to_ten_years_or_for_ever(hours: int) -> None:
    assert end_of(None, NOON) is None
    assert end_of(1, NOON) == NOON + HOUR
    assert end_of(HOURS_MAX, NOON) == NOON + HOURS_MAX * HOUR
    with pytest.raises(Invalid):
        end_of(hours, NOON)


@pytest.mark.parametrize("password", ["", "x" * 7, "x" * 201])
def test_a_password_of_a_link_has_a_length(password: str) -> None:
    assert check_link_password("x" * 8) == "x" * 8
    with pytest.raises(Invalid):
        check_link_password(password)


def test_the_form_of_a_secret_is_looked_at_before_anything() -> None:
    assert is_secret("A" * 43)
    assert not [
        text for text in ("", "A" * 42, "A" * 44, "A" * 42 + "\n", "A" * 42 + "/", "A" * 42 + "é") if is_secret(text)
    ]


@pytest.mark.parametrize("locked", [False, True])
@pytest.mark.parametrize("visibility", Visibility)
def test_a_link_gives_the_eyes_of_a_stranger_who_may_see_a_private_item(visibility: Visibility, locked: bool) -> None:
    item = cast.media(cast.generation(cast.alice()), visibility=visibility, is_blurred=locked)
    viewer = Viewer(shared=frozenset({item.id}), link_id=LINK.id)
    assert allowed(viewer, item, None)
    for variant in Variant:
        assert allowed(viewer, item, variant) is (not locked or variant in BLURRED)
    assert sees_withheld(viewer, item) is not locked
    assert not may_change(viewer, item)
    for gone in ({"hidden": True}, {"trashed_at": NOON}):
        assert not allowed(viewer, structs.replace(item, **gone), None)
    assert not allowed(Viewer(shared=frozenset({"med_other"}), link_id=LINK.id), item, None) or visibility != "private"


def test_a_proof_holds_for_its_link_and_password_under_any_of_the_keys_and_for_a_while() -> None:
    clock = cast.HandClock()
    link = structs.replace(LINK, password_hash="$argon2id$one")
    proof = Proofs([b"old"], clock).make(link)
    proofs = Proofs([b"new", b"old"], clock)
    assert proofs.verify(link, proof)
    assert not Proofs([b"new"], clock).verify(link, proof)
    assert not proofs.verify(structs.replace(link, id=cast.ids.new("shr")), proof)
    assert not proofs.verify(structs.replace(link, password_hash="$argon2id$two"), proof)
    later = str(int(proof.split(".")[0]) + 1) + "." + proof.split(".")[1]
    for bad in ("", ".", "x.y", later, proof[:-1], proof.split(".")[0], "9" * 400 + ".x", "\u0663.x", proof + "é"):
        assert not proofs.verify(link, bad), bad
    clock.tick(13 * HOUR)
    assert not proofs.verify(link, proof)
