"""Which scope of an API key opens which route. A route that does not stand here is closed to keys, whatever their scopes:
passwords, sessions and the keys themselves are for people who signed in.
"""

from collections.abc import Iterable, Mapping

from mutoscope.domain.keys import Scope, ScopeNeeded

_ANY = frozenset(Scope)
_READ = frozenset({Scope.READ})
_JOBS = frozenset({Scope.READ, Scope.GENERATE})
_GENERATE = frozenset({Scope.GENERATE})
_MANAGE = frozenset({Scope.MANAGE})
_ADMIN = frozenset({Scope.ADMIN})

OPENED_BY: Mapping[str, frozenset[Scope]] = {
    "get_me": _ANY,
    "openapi_json": _ANY,
    "list_models": _ANY,
    "list_categories": _ANY,
    "quote_generation": _ANY,
    "get_balance": _JOBS,
    "list_generations": _JOBS,
    "get_generation": _JOBS,
    "events": _JOBS,
    "create_generation": _GENERATE,
    "cancel_generation": _GENERATE,
    "retry_generation": _GENERATE,
    "list_entries": _READ,
    "list_media": _READ,
    "get_item": _READ,
    "count_view": _READ,
    "list_likes": _READ,
    "deliver": _READ,
    "list_share_links": _READ,
    "list_item_share_links": _READ,
    "list_collection_share_links": _READ,
    "list_collections": _READ,
    "get_collection": _READ,
    "list_collected": _READ,
    "change_item": _MANAGE,
    "discard_item": _MANAGE,
    "restore_item": _MANAGE,
    "lock_items": _MANAGE,
    "unlock_item": _MANAGE,
    "like_item": _MANAGE,
    "unlike_item": _MANAGE,
    "create_share_link": _MANAGE,
    "share_collection": _MANAGE,
    "revoke_share_link": _MANAGE,
    "create_collection": _MANAGE,
    "change_collection": _MANAGE,
    "delete_collection": _MANAGE,
    "add_to_collection": _MANAGE,
    "remove_from_collection": _MANAGE,
    "order_collection": _MANAGE,
    "move_in_collection": _MANAGE,
    "grant_tokens": _ADMIN,
    "list_invites": _ADMIN,
    "create_invite": _ADMIN,
    "revoke_invite": _ADMIN,
    "list_unknown": _ADMIN,
    "resolve_unknown": _ADMIN,
    "list_unlocks": _ADMIN,
    "refund_unlock": _ADMIN,
}
"""By the name of the route's function: any one of the scopes opens it."""

AS_STRANGER = frozenset({"deliver"})
"""Routes where a key without the scope is treated as nobody, but for a signed address that was made for its person."""


def opens(operation: str, scopes: Iterable[Scope]) -> bool:
    """Whether a key with those scopes opens the route."""
    return not OPENED_BY.get(operation, frozenset()).isdisjoint(scopes)


def check_scopes_for(operation: str, scopes: Iterable[Scope]) -> None:
    """Raises ScopeNeeded, saying which one."""
    if opens(operation, scopes):
        return
    needed = [scope.value for scope in Scope if scope in OPENED_BY.get(operation, ())]
    if not needed:
        raise ScopeNeeded("No key opens this: sign in, or send a token from POST /api/auth/token.")
    raise ScopeNeeded(f"This needs a key with the scope {' or '.join(needed)}.", scopes=needed)
