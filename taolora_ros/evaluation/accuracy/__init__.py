"""How accurate detection and quantization are: what `taolora bench accuracy` measures."""
