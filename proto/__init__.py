"""The wire contract, `caracal.v1`, and the generator for protos that import it."""
