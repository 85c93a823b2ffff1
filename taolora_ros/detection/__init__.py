"""From residuals to p-values, thresholds and events."""
