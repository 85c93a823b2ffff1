"""What keeps an event whole: the full-precision rows around it."""
