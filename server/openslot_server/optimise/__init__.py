"""Optimising: a creative made small enough for a tier, with as little change to its look as that takes."""
