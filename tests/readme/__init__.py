"""What the README shows is true."""
