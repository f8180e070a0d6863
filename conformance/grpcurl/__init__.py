"""grpcurl: what somebody at a shell sees."""
