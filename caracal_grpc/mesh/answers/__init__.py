"""What a proxy is answered: a verdict, as headers, statuses and metadata that it understands."""
