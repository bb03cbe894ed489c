"""Performance: what a player does to a written piece, by published rules and by a drum feel learnt from drummers."""
