"""`errgrpc decode`: `finding` finds errors in any text, `shown` prints what they and the tables say."""
