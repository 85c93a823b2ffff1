"""The dual-path linear layer: an INT4 product, and a low-rank FP16 path for transient rows."""
