"""OpenSlot for worlds: connect, load a scene, feed cameras; ads and honest impressions follow.

`World` for asyncio, `openslot_sdk.blocking.World` for everybody else.
"""

from openslot_sdk.ads import Ad
from openslot_sdk.meter import Look, Seen, Sight
from openslot_sdk.scenes import Triangles
from openslot_sdk.settings import Settings
from openslot_sdk.stats import Stats
from openslot_sdk.views import Playing
from openslot_sdk.world import World
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.slots import Pose, Slot
from openslot_view.cameras import Camera, Depth
from openslot_view.frames import frame

__all__ = [
    "Ad",
    "Camera",
    "Code",
    "Depth",
    "Look",
    "OpenSlotError",
    "Playing",
    "Pose",
    "Seen",
    "Settings",
    "Sight",
    "Slot",
    "Stats",
    "Triangles",
    "World",
    "frame",
]
