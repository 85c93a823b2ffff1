"""From normal recordings to a calibrated model."""
