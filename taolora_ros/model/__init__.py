"""The network and its dual-path layers."""
