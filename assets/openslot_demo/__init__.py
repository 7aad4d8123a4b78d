"""Demo worlds, creatives and walkers, made by code."""
