"""Is it good, is it new, where is it from: measures of pieces and of sets of pieces."""
