"""What belongs to the call that is being handled, and goes on with the calls it makes."""
