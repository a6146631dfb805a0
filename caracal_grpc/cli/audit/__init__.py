"""`audit`: the record of decisions."""
