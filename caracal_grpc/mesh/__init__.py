"""Answers Envoy: verifies and swaps the mandates of workloads that have no code of ours."""
