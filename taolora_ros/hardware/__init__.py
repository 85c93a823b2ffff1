"""What this device is, and what suits it."""
