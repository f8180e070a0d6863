"""The contract, and the code that protoc generates from it."""
