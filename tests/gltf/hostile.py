"""Files that mean harm or are broken, each cut from an honest one in code, with the rule that has to refuse it."""

from tests.gltf import hostile_content, hostile_structure
from tests.gltf.harm import HOSTILE, Hostile, changed

__all__ = ["HOSTILE", "Hostile", "changed", "hostile_content", "hostile_structure"]
