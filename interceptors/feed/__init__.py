"""What a guard knows: the stream from the authority, and the view that it builds."""
