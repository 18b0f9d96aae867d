"""The pages that people see. Each module is one place of the studio; `page_routes` is all of them."""

from litestar import Router
from litestar.types import ControllerRouterHandler

from mutoscope.domain.errors import SignInNeeded
from mutoscope.web.pages import account, activity, browse, collections, create, entry, item, jobs, shared
from mutoscope.web.pages.assets import asset
from mutoscope.web.pages.forms import to_sign_in
from mutoscope.web.pages.template import note_cursor

page_routes: list[ControllerRouterHandler] = [
    asset,
    Router(
        path="/",
        route_handlers=[
            browse.gallery,
            browse.library,
            browse.trash,
            browse.likes,
            create.create_page,
            create.create,
            activity.activity,
            jobs.job,
            jobs.cancel,
            jobs.retry,
            item.item,
            item.edit,
            item.unlock,
            item.like,
            item.unlike,
            item.discard,
            item.restore,
            item.share,
            item.stop_sharing,
            shared.shared,
            shared.shared_in_collection,
            shared.prove,
            item.collect,
            collections.collections,
            collections.create_collection,
            collections.collection,
            collections.share,
            collections.stop_sharing,
            collections.edit_collection,
            collections.delete_collection,
            collections.remove_from_collection,
            collections.move_in_collection,
            entry.sign_in_page,
            entry.sign_in,
            entry.sign_in_by_link,
            entry.register_page,
            entry.register,
            entry.set_up_page,
            entry.set_up,
            entry.forgot_page,
            entry.forgot,
            entry.reset_page,
            entry.reset,
            entry.sign_out,
            account.tokens,
            account.account,
            account.change_password,
            account.set_email,
            account.sign_out_everywhere,
            account.create_key,
            account.revoke_key,
            account.create_invite,
            account.revoke_invite,
            account.end_session,
            account.end_other_sessions,
        ],
        before_request=note_cursor,
        exception_handlers={SignInNeeded: to_sign_in},
        include_in_schema=False,
    ),
]
