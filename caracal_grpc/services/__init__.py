"""Thin servicers: parse, call the authority, render."""
