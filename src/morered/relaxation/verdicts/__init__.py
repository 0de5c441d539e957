"""Which molecules are refused, what is held against a result, and the columns that tell it."""
