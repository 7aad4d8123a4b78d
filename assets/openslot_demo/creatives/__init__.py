"""Six GLB creatives of three fictitious advertisers, made by code."""

from openslot_demo.creatives.catalogue import ADVERTISERS, CREATIVES, Advertiser, Creative, build_creative

__all__ = ["ADVERTISERS", "CREATIVES", "Advertiser", "Creative", "build_creative"]
