"""Delivers the ledger to files, HTTP and syslog servers, in a process of its own."""
