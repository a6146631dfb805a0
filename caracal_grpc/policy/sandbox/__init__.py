"""Policies that others wrote, each in a process of its own that is bounded in time and memory."""
