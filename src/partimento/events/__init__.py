"""A page of music as a stream of events, and what is said of each: the common ground of the neural families."""
