"""Whether what was handed out, or what is kept, is what was recorded."""
