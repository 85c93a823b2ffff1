"""What keeps an event whole: frozen baselines and the full-precision buffer."""
