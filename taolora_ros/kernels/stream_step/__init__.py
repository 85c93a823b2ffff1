"""The whole network for one hop of several streams, in one call."""
