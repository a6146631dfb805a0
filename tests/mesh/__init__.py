"""What proxies ask, and what they are answered."""
