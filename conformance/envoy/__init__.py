"""Envoy before errgrpc's server: what clients see that speak no gRPC."""
