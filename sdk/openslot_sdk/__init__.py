"""What a world holds: register slots, show placements, measure exposures."""
