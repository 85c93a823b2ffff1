"""Which tokens are transients: variance, energy, clip share, and the router."""
