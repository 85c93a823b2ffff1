"""Configurations of the GPU kernels, launched here or compiled for a device that is elsewhere."""
