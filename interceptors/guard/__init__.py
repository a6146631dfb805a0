"""The server side: from metadata to a verdict, and streams that end with their mandate."""
