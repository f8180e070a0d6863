"""grpcurl: what a user of a shell sees."""
