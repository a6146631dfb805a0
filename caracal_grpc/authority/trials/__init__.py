"""Trying a policy out, before it decides: on one question, or on all that were asked already."""
