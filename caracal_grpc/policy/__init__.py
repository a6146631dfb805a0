"""Deciding by Rego: the only room of its engines."""
