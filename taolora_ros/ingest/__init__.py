"""From messages to rows: channel specs, field readers, stamps, grid, windows."""
