"""Visibility of ad slots: frames, cameras, surfaces, occluders, exact occlusion, exposure. No I/O and no clock."""

from openslot_view.backends import warm_up
from openslot_view.blame import Hider, hiders
from openslot_view.cameras import Camera, Cameras, Depth
from openslot_view.capsules import capsule
from openslot_view.cutouts import cut_out
from openslot_view.exposure import Events, Exposures, Samples
from openslot_view.frames import FRAMES, Frame, frame
from openslot_view.gates import Gates
from openslot_view.heat import HeatMaps
from openslot_view.instances import Shapes
from openslot_view.occluders import Occluders
from openslot_view.scenery import occluders_of
from openslot_view.surfaces import Surfaces
from openslot_view.visibility import Visibility, measure

__all__ = [
    "FRAMES",
    "Camera",
    "Cameras",
    "Depth",
    "Events",
    "Exposures",
    "Frame",
    "Gates",
    "HeatMaps",
    "Hider",
    "Occluders",
    "Samples",
    "Shapes",
    "Surfaces",
    "Visibility",
    "capsule",
    "cut_out",
    "frame",
    "hiders",
    "measure",
    "occluders_of",
    "warm_up",
]
