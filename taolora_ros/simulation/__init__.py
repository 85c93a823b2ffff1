"""A MuJoCo arm at work, and its faults."""
