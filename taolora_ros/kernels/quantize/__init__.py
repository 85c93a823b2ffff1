"""Time-aware INT4 quantization of activations."""
