"""The light of previews: a studio with soft boxes, as the small KTX file that the renderer reads in milliseconds.

`python -m openslot_server.previews.environment` writes `studio.ktx` beside this module; a test compares. Sources: Karis
2013 (prefiltered radiance by roughness, GGX), Ramamoorthi and Hanrahan 2001 (irradiance in nine harmonics), KTX 1.1.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["STUDIO", "studio_ktx"]

STUDIO = Path(__file__).with_name("studio.ktx")

Floats = NDArray[np.float64]

SIDE_PX, LEVELS, SAMPLES = 32, 6, 128
BOXES = (((-0.6, 0.7, 0.6), 14.0, 7.0), ((0.9, 0.35, 0.5), 20.0, 2.2), ((0.2, 0.8, -0.7), 18.0, 3.0))
"""Soft boxes: where, how narrow, how bright."""
RGBA, RGBA16F, HALF_FLOAT = 0x1908, 0x881A, 0x140B
FACES = 6


def radiance(direction: Floats) -> Floats:
    """Return the light from unit directions (…, 3): a bright sky, a grey floor, and the boxes."""
    up = direction[..., 1]
    light: Floats = 0.55 + 0.3 * up - 0.2 * np.exp(-8 * np.abs(up))
    for place, narrow, bright in BOXES:
        towards = direction @ (np.array(place) / np.linalg.norm(place))
        light = light + bright * np.exp(narrow * (towards - 1))
    return light


def studio_ktx() -> bytes:
    """Return the studio: a cube of six faces at each roughness, and its irradiance; the same bytes every time."""
    header = struct.pack("<13I", 0x04030201, HALF_FLOAT, 2, RGBA, RGBA16F, RGBA, SIDE_PX, SIDE_PX, 0, 0, 6, LEVELS, 0)
    said = _said(_harmonics())
    levels = []
    for level in range(LEVELS):
        faces = [_texels(_blurred(_face(face, SIDE_PX >> level), level / (LEVELS - 1))) for face in range(FACES)]
        levels.append(struct.pack("<I", len(faces[0])) + b"".join(faces))
    start = b"\xabKTX 11\xbb\r\n\x1a\n" + header[:-4] + struct.pack("<I", len(said))
    return start + said + b"".join(levels)


def _face(face: int, side: int) -> Floats:
    """Return the unit directions (side, side, 3) of a cube's face, in the order of OpenGL."""
    along = (np.arange(side) + 0.5) / side * 2 - 1
    x, y = np.meshgrid(along, along)
    one = np.ones_like(x)
    faces = ((one, -y, -x), (-one, -y, x), (x, one, y), (x, -one, -y), (x, -y, one), (-x, -y, -one))
    direction = np.stack(faces[face], axis=-1)
    unit: Floats = direction / np.linalg.norm(direction, axis=-1, keepdims=True)
    return unit


def _blurred(normal: Floats, roughness: float) -> Floats:
    """Return the light that a surface of this roughness gathers around `normal`, seen straight on."""
    if roughness == 0:
        return radiance(normal)
    drawn = np.random.default_rng(0).random((SAMPLES, 2))
    tangent = np.arctan(roughness**2 * np.sqrt(drawn[:, 0] / (1 - drawn[:, 0])))
    turn = 2 * np.pi * drawn[:, 1]
    up = np.where(np.abs(normal[..., 1:2]) < 0.99, [0.0, 1.0, 0.0], [1.0, 0.0, 0.0])
    right = np.cross(up, normal)
    right /= np.linalg.norm(right, axis=-1, keepdims=True)
    ahead = np.cross(normal, right)
    gathered, weights = np.zeros(normal.shape[:-1]), np.zeros(normal.shape[:-1])
    for x, y, z in zip(np.sin(tangent) * np.cos(turn), np.sin(tangent) * np.sin(turn), np.cos(tangent), strict=True):
        half = right * x + ahead * y + normal * z
        light = 2 * (normal * half).sum(-1, keepdims=True) * half - normal
        weight = np.clip((normal * light).sum(-1), 0, 1)
        gathered += radiance(light) * weight
        weights += weight
    return gathered / weights


def _harmonics() -> Floats:
    """Return nine coefficients of the irradiance, the constants of the basis multiplied in, as Filament reads them."""
    side = 64
    along = (np.arange(side) + 0.5) / (side / 2) - 1
    spread = (along[None] ** 2 + along[:, None] ** 2 + 1).ravel()
    solid = np.tile(4 / (side * side) / spread**1.5, FACES)
    x, y, z = (directions := np.concatenate([_face(face, side).reshape(-1, 3) for face in range(FACES)])).T
    k = np.array([0.282095, 0.488603, 0.488603, 0.488603, 1.092548, 1.092548, 0.315392, 1.092548, 0.546274])
    basis = k * np.stack([np.ones_like(x), y, z, x, x * y, y * z, 3 * z * z - 1, x * z, x * x - y * y], axis=1)
    lobes = np.array([1, 2 / 3, 2 / 3, 2 / 3, 0.25, 0.25, 0.25, 0.25, 0.25])
    return np.asarray((basis * (radiance(directions) * solid)[:, None]).sum(0) * lobes * k)


def _said(harmonics: Floats) -> bytes:
    lines = "".join(f"{value:.6f} {value:.6f} {value:.6f}\n" for value in harmonics)
    pair = b"sh\0" + lines.encode() + b"\0"
    return struct.pack("<I", len(pair)) + pair + b"\0" * (-len(pair) % 4)


def _texels(light: Floats) -> bytes:
    texels = np.ones((*light.shape, 4), "<f2")
    texels[..., :3] = light[..., None]
    return texels.tobytes()


if __name__ == "__main__":
    STUDIO.write_bytes(studio_ktx())
