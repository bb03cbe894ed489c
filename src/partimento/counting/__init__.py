"""Counting what followed what: n-grams of several views, a line's memory, and many lines walked at once."""
