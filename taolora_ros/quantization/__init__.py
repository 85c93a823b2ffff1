"""INT4 codes, time-aware activation scales, the low-rank fit."""
