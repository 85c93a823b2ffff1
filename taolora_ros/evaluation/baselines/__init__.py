"""Detectors that ours is compared with: classic, small, and fitted to normal rows alone."""
