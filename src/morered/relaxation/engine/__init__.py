"""Many molecules at once: what one step of a method is, and the loop that runs it until every molecule is done."""
