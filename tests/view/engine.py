"""A real engine's frame, to count pixels in: Panda3D drawing triangles offscreen, and nothing of ours.

Its OpenGL without a window (`p3headlessgl`) is used where the machine has EGL, else its own software renderer
(`p3tinydisplay`), which needs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from panda3d import core

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

SIDE_PX = 1024
# in y-up-right coordinates a camera looks along −Z, as in ours: matrices pass as they are but for row vectors
SETTINGS = "window-type offscreen\naudio-library-name null\nnotify-level fatal\ncoordinate-system yup-right\n"


@dataclass(frozen=True)
class Part:
    """Triangles (n, 3, 3) of one colour; one-sided ones are culled from behind."""

    corners: Floats
    colour: tuple[float, float, float]
    one_sided: bool = False


class Engine:
    """One offscreen buffer of `SIDE_PX` squared, drawn anew for each frame."""

    def __init__(self, display: str) -> None:
        core.load_prc_file_data("", SETTINGS)
        self.display = display
        self._engine = core.GraphicsEngine()
        pipe = core.GraphicsPipeSelection.get_global_ptr().make_module_pipe(display)
        assert pipe is not None, f"{display} does not load"
        wanted = core.FrameBufferProperties()
        wanted.set_rgba_bits(8, 8, 8, 8)
        wanted.set_depth_bits(24)
        size, flags = core.WindowProperties.size(SIDE_PX, SIDE_PX), core.GraphicsPipe.BF_refuse_window
        self._buffer = self._engine.make_output(pipe, "frame", 0, wanted, size, flags)
        assert self._buffer is not None, f"{display} draws nothing here"
        self._buffer.set_clear_color((0, 0, 0, 1))
        self._frame = core.Texture()
        self._buffer.add_render_texture(self._frame, core.GraphicsOutput.RTM_copy_ram)
        self._lens = core.MatrixLens()
        self._root = core.NodePath("world")
        self._camera = self._root.attach_new_node(core.Camera("camera", self._lens))
        self._buffer.make_display_region().set_camera(self._camera)

    def draw(self, camera_from_world: Floats, clip_from_camera: Floats, parts: list[Part]) -> NDArray[np.uint8]:
        """Return the frame's (rows, columns, 3) red, green and blue, the lowest row first; clip depth is −1 … 1."""
        mirrored = bool(np.linalg.det(camera_from_world[:3, :3]) < 0)
        self._camera.set_mat(_row_vectors(np.linalg.inv(camera_from_world)))
        self._lens.set_user_mat(_row_vectors(clip_from_camera))
        world = self._root.attach_new_node("parts")
        for part in parts:
            _attach(world, part, mirrored=mirrored)
        self._engine.render_frame()
        world.remove_node()
        pixels = np.frombuffer(self._frame.get_ram_image_as("RGB"), np.uint8)
        return pixels.reshape(SIDE_PX, SIDE_PX, 3)


@cache
def engine() -> Engine:
    """Return the engine that this machine can run."""
    try:
        return Engine("p3headlessgl")
    except AssertionError:
        return Engine("p3tinydisplay")


def _attach(world: Any, part: Part, *, mirrored: bool) -> None:
    data = core.GeomVertexData("part", core.GeomVertexFormat.get_v3(), core.Geom.UH_static)
    points = np.ascontiguousarray(part.corners.reshape(-1, 3), np.float32)
    data.unclean_set_num_rows(len(points))
    data.modify_array_handle(0).set_data(points.tobytes())
    triangles = core.GeomTriangles(core.Geom.UH_static)
    triangles.add_next_vertices(len(points))
    geometry = core.Geom(data)
    geometry.add_primitive(triangles)
    node = core.GeomNode("part")
    node.add_geom(geometry)
    path = world.attach_new_node(node)
    path.set_color(*part.colour, 1)
    path.set_two_sided(not part.one_sided)
    if part.one_sided and mirrored:  # an engine culls by winding on the screen, and a mirror turns that round
        path.set_attrib(core.CullFaceAttrib.make(core.CullFaceAttrib.M_cull_counter_clockwise))


def _row_vectors(matrix: ArrayLike) -> Any:
    return core.LMatrix4f(*np.transpose(matrix).ravel().tolist())
