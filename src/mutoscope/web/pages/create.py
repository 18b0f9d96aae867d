"""The Create page: the composer, and one's jobs below it."""

from litestar import Response, get, post

from mutoscope.domain.errors import Invalid, NotEnoughTokens, NotFound, Refused
from mutoscope.domain.limits import TooOften
from mutoscope.domain.media import Kind
from mutoscope.services.generate import Upload
from mutoscope.services.studio import Studio
from mutoscope.services.views import GenerationView, ItemView
from mutoscope.web.bodies import Form, received_form
from mutoscope.web.limits import count_order
from mutoscope.web.pages.composer import Fields, chosen_model, compose, fields_from, wish_from
from mutoscope.web.pages.forms import go, signed_in, whole, wrong_fields
from mutoscope.web.pages.template import html, page, wants_fragment
from mutoscope.web.problems import headers_of
from mutoscope.web.render import render_generation, render_item
from mutoscope.web.security import Asked, studio_of, viewer_of

PAGE_JOBS = 12


class Dearer(Refused):
    """The order costs more than the button said when it was pressed."""


async def names_of(studio: Studio) -> dict[str, str]:
    """What each model is called."""
    return {listed.model.id: listed.model.name for listed in await studio.generate.models()}


async def job_card(request: Asked, id: str, status: int = 200) -> Response[str]:
    """The card of one job, alone. Raises NotFound."""
    studio = studio_of(request)
    view = await render_generation(studio, viewer_of(request), await studio.generate.get(signed_in(request), id))
    return html("job.html", status, job=view, names=await names_of(studio), now=studio.clock.now())


async def _source_item(request: Asked, id: str) -> ItemView | None:
    """The picture to start from, when it is one and the viewer may have it."""
    studio, viewer = studio_of(request), viewer_of(request)
    try:
        item = await render_item(studio, viewer, await studio.gallery.get(viewer, id)) if id else None
    except NotFound:
        return None
    return item if item and item.kind is Kind.IMAGE and not item.locked else None


async def _prefilled(request: Asked) -> dict[str, str]:
    """Fields from the address: ``from`` an item (remix), with a ``source`` picture, a ``model``, a ``prompt``."""
    studio, viewer, asked = studio_of(request), viewer_of(request), request.query_params
    fields: dict[str, str] = {}
    if asked.get("from"):
        try:
            item = await studio.gallery.get(viewer, asked["from"])
            fields = fields_from(await render_item(studio, viewer, item))
        except NotFound:
            fields = {}
    fields |= {name: asked[name] for name in ("model", "prompt") if asked.get(name)}
    if asked.get("source"):
        fields["source_media"] = asked["source"]
        usable = [listed.model for listed in await studio.generate.models() if listed.usable]
        fields.setdefault("model", next((model.id for model in usable if model.image != "no"), ""))
    return fields


async def _jobs(request: Asked) -> tuple[list[GenerationView], str | None]:
    studio, viewer = studio_of(request), viewer_of(request)
    found = await studio.generate.list(signed_in(request), None, request.query_params.get("cursor"), PAGE_JOBS)
    return [await render_generation(studio, viewer, generation) for generation in found.items], found.next


async def _show(
    request: Asked, fields: Fields, error: Refused | None = None, picture_lost: bool = False
) -> Response[str]:
    studio = studio_of(request)
    wrong = wrong_fields(error) if isinstance(error, Invalid) else {}
    said = "" if error is None else "Nothing was ordered. Look at what is marked." if wrong else error.detail
    if picture_lost and "image" not in wrong:
        wrong["image"] = "Choose the picture again: browsers do not keep it."
    source = await _source_item(request, fields.get("source_media", ""))
    form = await compose(studio, fields, wrong, said, source)
    status = error.status if error else 200
    if wants_fragment(request):
        return html("composer.html", status, form=form)
    jobs, after = await _jobs(request)
    return await page(request, "create.html", status, form=form, jobs=jobs, next=after, names=await names_of(studio))


@get("/create")
async def create_page(request: Asked) -> Response[str]:
    """The composer and one's jobs, newest first."""
    signed_in(request)
    return await _show(request, await _prefilled(request))


@post("/create")
async def create(request: Asked) -> Response[str] | Response[None]:
    """Order. The price that stood on the button was sent along; when it is more by now, the person is asked again."""
    signed_in(request)
    studio = studio_of(request)
    async with received_form(request, studio.spool, studio.policy.upload_limits.size_bytes) as form:
        return await _order(request, studio, form)


async def _order(request: Asked, studio: Studio, form: Form) -> Response[str] | Response[None]:
    try:
        id = await _accept(request, studio, form.fields, form.image)
    except (Invalid, NotEnoughTokens, NotFound, Dearer, TooOften) as e:
        shown = await _show(
            request, form.fields, e, picture_lost=form.image is not None and not wants_fragment(request)
        )
        shown.headers.update(headers_of(e) if isinstance(e, TooOften) else {})
        return shown
    if not wants_fragment(request):
        return go(f"/create?done=ordered#{id}")
    return await job_card(request, id, 201)


async def _accept(request: Asked, studio: Studio, fields: Fields, image: Upload | None) -> str:
    await count_order(request)
    model = chosen_model(await studio.generate.models(), fields)
    upload = image if model.image != "no" else None
    wish = wish_from(model, fields, studio.categories.groups, upload is not None)
    price, shown = (await studio.generate.quote(wish)).tokens, whole(fields.get("shown", ""))
    if shown is None and fields.get("shown"):
        raise Invalid("The form was damaged on its way. Look at the price, and order again.")
    if shown is not None and price > shown:
        raise Dearer(f"This costs {price} tokens, not {shown} as the button said. Press it again to order.")
    key = f"page:{fields['key']}" if fields.get("key") else None
    generation, _ = await studio.generate.accept(signed_in(request), wish, upload, key)
    return generation.id
