"""Randomness that anyone can draw again: a number from a seed and a counter."""

from __future__ import annotations

__all__ = ["mix", "seed_of"]

MASK = (1 << 64) - 1
GOLDEN = 0x9E3779B97F4A7C15


def mix(seed: int, number: int) -> int:
    """Return 64 bits in which no bit of `seed` or `number` can be seen: splitmix64's finaliser (Steele et al. 2014).

    Weaker mixing makes neighbours draw alike: line items with neighbouring numbers would win and lose together.
    """
    bits = (seed + (number + 1) * GOLDEN) & MASK
    bits = ((bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    bits = ((bits ^ (bits >> 27)) * 0x94D049BB133111EB) & MASK
    return bits ^ (bits >> 31)


def seed_of(name: bytes) -> int:
    """Return the seed that a decision's name stands for."""
    seed = len(name)
    for start in range(0, len(name), 8):
        seed = mix(seed, int.from_bytes(name[start : start + 8], "little"))
    return seed
