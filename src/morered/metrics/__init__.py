"""How far structures are from each other, and how sure the numbers are."""
