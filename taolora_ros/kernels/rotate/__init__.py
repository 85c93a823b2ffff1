"""Smoothing and rotation of a layer's inputs before they are rounded."""
