"""Where a viewer gets an item's files: signed addresses of the studio, or of the bucket that has the bytes."""

from mutoscope.blobs.port import Blobs, BlobsUnavailable
from mutoscope.domain.media import Media, StoredFile
from mutoscope.domain.rights import Viewer, allowed
from mutoscope.services.addresses import Addresses
from mutoscope.services.policy import Policy


class Links:
    """Makes them. ``base_url`` is the studio's own address."""

    def __init__(self, addresses: Addresses, blobs: Blobs, policy: Policy, base_url: str) -> None:
        self._addresses, self._blobs, self._policy, self._base_url = addresses, blobs, policy, base_url

    async def of(self, viewer: Viewer, item: Media) -> dict[str, str]:
        """The address of each variant that the viewer may have, by its name. They stay as they are within a window."""
        return {
            variant.value: await self.in_bucket(file) or self._base_url + self._addresses.path(item, variant)
            for variant, file in item.files.items()
            if allowed(viewer, item, variant)
        }

    async def in_bucket(self, file: StoredFile) -> str | None:
        """A signed address of the bucket for whoever was found to have the right; None where the studio has to send it."""
        if not self._policy.from_bucket:
            return None
        try:
            return await self._blobs.presign(file.key, self._policy.address_window_ms // 1000)
        except BlobsUnavailable:
            return None
