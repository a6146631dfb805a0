"""Delivery of the ledger to sinks."""
