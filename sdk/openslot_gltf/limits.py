"""How much a glTF file may ask for: creative tiers S, M and L, and the wide tier for scenes."""

from __future__ import annotations

from dataclasses import dataclass

from openslot_gltf.rules import Rule

__all__ = ["SCENE", "TIERS", "L", "Limits", "M", "S"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one tier; every array, count and size a reader meets has one.

    Args:
        name: the tier, as slots say it in `accepts.tier`.
        file_bytes: the whole file.
        triangles: drawn triangles of the default scene, instances counted; above it the file is refused.
        triangles_advised: above it the file is accepted with a warning.
        draws: primitives drawn; `draws_advised` warns.
        vertices: vertices of what is drawn, instances and morph targets counted.
        side_px: the longest side of an image.
        pixels: all images together.
        extent_m: how far from the origin the content may reach, clips included.
        creative: lights, cameras and unknown extensions are stripped; False keeps them, as a scene's own.
        tolerated: rules that warn instead of refusing.
        decodes: compressed geometry and textures are decoded, by native code: for untrusted files in a sandbox alone.
        poses: key times of all clips, each times the nodes and joints it has to place.
    """

    name: str
    file_bytes: int
    triangles: int
    triangles_advised: int
    draws: int
    draws_advised: int
    vertices: int
    side_px: int
    pixels: int
    extent_m: float = 1_000.0
    creative: bool = True
    tolerated: frozenset[Rule] = frozenset()
    json_bytes: int = 1_000_000
    json_depth: int = 64
    array_items: int = 20_000
    nodes: int = 2_000
    scenes: int = 32
    images: int = 64
    node_depth: int = 64
    accessor_items: int = 2_000_000
    decoded_bytes: int = 64_000_000
    poses: int = 1_000_000
    decodes: bool = False


S = Limits("S", 200_000, 1_500, 1_500, 8, 4, 20_000, 512, 2 * 512**2)
M = Limits("M", 500_000, 30_000, 10_000, 32, 4, 200_000, 1024, 4 * 1024**2)
L = Limits("L", 3_000_000, 50_000, 50_000, 64, 16, 500_000, 2048, 4 * 2048**2)
TIERS = {tier.name: tier for tier in (S, M, L)}

SCENE = Limits(
    name="scene",
    file_bytes=512_000_000,
    triangles=20_000_000,
    triangles_advised=20_000_000,
    draws=100_000,
    draws_advised=100_000,
    vertices=50_000_000,
    side_px=16_384,
    pixels=4_000_000_000,
    extent_m=1e7,
    creative=False,
    # A world's own scene is trusted to look as it does; what only draws badly is said and kept.
    tolerated=frozenset(
        {
            Rule.DATA_UNIT,
            Rule.DATA_RANGE,
            Rule.DATA_JOINTS,
            Rule.MESH_TEXCOORD,
            Rule.IMAGE_ANIMATED,
            Rule.BUDGET_EMPTY,
            Rule.BUDGET_EXTENT,
        }
    ),
    json_bytes=64_000_000,
    array_items=1_000_000,
    nodes=200_000,
    scenes=1_000,
    images=20_000,
    node_depth=256,
    accessor_items=50_000_000,
    decoded_bytes=2_000_000_000,
    poses=10**15,
    decodes=True,
)
"""A world's own scene: wide bounds against accidents, nothing stripped."""
