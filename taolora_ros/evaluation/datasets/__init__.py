"""Labeled series of real machines: the development sets and readers of the public originals."""
