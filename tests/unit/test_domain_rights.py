"""Who may see what, as one full table: each cell was written by hand from the promises, not computed."""

import msgspec
import pytest

import cast
from mutoscope.domain.errors import NotFound
from mutoscope.domain.media import BLURRED, Media, Variant, Visibility
from mutoscope.domain.rights import STRANGER, Viewer, allowed, authorize, may_change, sees_withheld

ALICE, BOB, CAROL = cast.alice(), cast.bob(), cast.carol()
ITEM = cast.media(cast.generation(ALICE))

VIEWERS = {
    "stranger": STRANGER,
    "bob": Viewer(person_id=BOB.id),
    "link": Viewer(signed=(ITEM.id, Variant.MASTER)),
    "alice": Viewer(person_id=ALICE.id),
    "carol": Viewer(person_id=CAROL.id, is_admin=True),
}

# Columns: stranger, bob, whoever holds a signed address of the file, alice the owner, carol the administrator.
TABLE = """
visibility  trashed hidden locked   record   file
private     -       -      -        nnnyy    nnyyy
private     -       -      locked   nnnyy    nnyyy
private     -       hidden -        nnnyy    nnnyy
private     -       hidden locked   nnnyy    nnnyy
private     trashed -      -        nnnyy    nnnyy
private     trashed -      locked   nnnyy    nnnyy
private     trashed hidden -        nnnyy    nnnyy
private     trashed hidden locked   nnnyy    nnnyy
unlisted    -       -      -        yyyyy    yyyyy
unlisted    -       -      locked   yyyyy    nnyyy
unlisted    -       hidden -        nnnyy    nnnyy
unlisted    -       hidden locked   nnnyy    nnnyy
unlisted    trashed -      -        nnnyy    nnnyy
unlisted    trashed -      locked   nnnyy    nnnyy
unlisted    trashed hidden -        nnnyy    nnnyy
unlisted    trashed hidden locked   nnnyy    nnnyy
public      -       -      -        yyyyy    yyyyy
public      -       -      locked   yyyyy    nnyyy
public      -       hidden -        nnnyy    nnnyy
public      -       hidden locked   nnnyy    nnnyy
public      trashed -      -        nnnyy    nnnyy
public      trashed -      locked   nnnyy    nnnyy
public      trashed hidden -        nnnyy    nnnyy
public      trashed hidden locked   nnnyy    nnnyy
"""
ROWS = [tuple(line.split()) for line in TABLE.strip().splitlines()[1:]]

LOCKS = {"-": [{}], "locked": [{"unlock_price": 5}, {"is_blurred": True}, {"unlock_price": 5, "is_blurred": True}]}


def item_of(visibility: str, trashed: str, hidden: str, lock: dict[str, object]) -> Media:
    return msgspec.structs.replace(
        ITEM,
        visibility=Visibility(visibility),
        trashed_at=cast.NOON if trashed == "trashed" else None,
        hidden=hidden == "hidden",
        **lock,
    )


def test_the_table_has_every_combination_once() -> None:
    assert len(ROWS) == len({row[:4] for row in ROWS}) == 3 * 2 * 2 * 2


@pytest.mark.parametrize("row", ROWS, ids=" ".join)
@pytest.mark.parametrize("asked", ["record", "file"])
def test_every_viewer_gets_what_the_table_says(row: tuple[str, ...], asked: str) -> None:
    visibility, trashed, hidden, locked, record, file = row
    variant = None if asked == "record" else Variant.MASTER
    for lock in LOCKS[locked]:
        item = item_of(visibility, trashed, hidden, lock)
        got = "".join("y" if allowed(viewer, item, variant) else "n" for viewer in VIEWERS.values())
        assert got == (record if asked == "record" else file)


@pytest.mark.parametrize("variant", list(Variant))
@pytest.mark.parametrize("lock", LOCKS["locked"])
def test_only_blurred_files_of_a_locked_item_are_open_to_those_without_the_right(
    variant: Variant, lock: dict[str, object]
) -> None:
    item = item_of("public", "-", "-", lock)
    for viewer in (STRANGER, VIEWERS["bob"], Viewer(person_id=BOB.id, unlocked=frozenset({cast.ids.new("med")}))):
        assert allowed(viewer, item, variant) is (variant in BLURRED)


@pytest.mark.parametrize("variant", list(Variant))
@pytest.mark.parametrize("visibility", list(Visibility))
def test_who_paid_for_an_item_has_all_of_it_unless_it_is_gone_for_everyone(
    variant: Variant, visibility: Visibility
) -> None:
    buyer = Viewer(person_id=BOB.id, unlocked=frozenset({ITEM.id}))
    for lock in LOCKS["locked"]:
        item = item_of(visibility, "-", "-", lock)
        assert allowed(buyer, item, variant)
        assert allowed(buyer, item, None)
        assert sees_withheld(buyer, item)
        assert not may_change(buyer, item)
        for gone in (item_of(visibility, "trashed", "-", lock), item_of(visibility, "-", "hidden", lock)):
            assert not allowed(buyer, gone, variant)
            assert not allowed(buyer, gone, None)


@pytest.mark.parametrize("variant", sorted(BLURRED))
def test_the_blurred_files_of_a_private_item_are_as_private_as_the_item(variant: Variant) -> None:
    for lock in LOCKS["locked"]:
        assert not allowed(VIEWERS["bob"], item_of("private", "-", "-", lock), variant)


@pytest.mark.parametrize("variant", list(Variant))
def test_a_signed_address_opens_its_own_variant_of_its_own_item_and_nothing_else(variant: Variant) -> None:
    item = item_of("private", "-", "-", {})
    assert allowed(Viewer(signed=(item.id, variant)), item, variant)
    assert not allowed(Viewer(signed=(cast.ids.new("med"), variant)), item, variant)
    others = [other for other in Variant if other is not variant]
    assert not any(allowed(Viewer(signed=(item.id, other)), item, variant) for other in others)
    assert not allowed(Viewer(signed=(item.id, variant)), item, None)


def test_what_is_refused_and_what_does_not_exist_are_told_in_the_same_words() -> None:
    with pytest.raises(NotFound, match="no such item, or it is not open to you"):
        authorize(STRANGER, item_of("private", "-", "-", {}), None)
    authorize(VIEWERS["alice"], item_of("private", "-", "-", {}), None)


@pytest.mark.parametrize(
    ("viewer", "open_item", "locked_item"),
    [
        ("stranger", True, False),
        ("bob", True, False),
        ("link", True, False),
        ("alice", True, True),
        ("carol", True, True),
    ],
)
def test_the_prompt_of_a_locked_item_is_for_its_owner_and_the_administrator(
    viewer: str, open_item: bool, locked_item: bool
) -> None:
    assert sees_withheld(VIEWERS[viewer], ITEM) is open_item
    for lock in LOCKS["locked"]:
        assert sees_withheld(VIEWERS[viewer], item_of("public", "-", "-", lock)) is locked_item


@pytest.mark.parametrize(
    ("viewer", "may"), [("stranger", False), ("bob", False), ("link", False), ("alice", True), ("carol", True)]
)
def test_only_the_owner_and_the_administrator_may_change_an_item(viewer: str, may: bool) -> None:
    assert may_change(VIEWERS[viewer], ITEM) is may
