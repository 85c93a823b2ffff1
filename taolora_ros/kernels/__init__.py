"""A folder an operation: the definition, and an engine each for CPU and GPU."""
