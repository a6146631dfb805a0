"""What each RPC means: the use cases, one file a noun, over the rules and the ports."""
