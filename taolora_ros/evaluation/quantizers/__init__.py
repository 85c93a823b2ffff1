"""Other ways to run the same network's dense layers at a few bits, to compare with TAO-LoRA."""
