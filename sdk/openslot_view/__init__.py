"""Visibility of ad slots: frames, cameras, clipping, occlusion, exposure."""
