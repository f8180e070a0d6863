"""The contract, and what protoc makes of it."""
