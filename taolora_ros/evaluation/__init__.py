"""Metrics, data sets, baselines and the report."""
