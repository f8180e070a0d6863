"""`errgrpc decode`: `finding` finds errors in any text, `shown` prints them with their tables."""
