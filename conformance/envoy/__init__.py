"""Envoy in front of errgrpc's server, for clients that do not speak gRPC."""
