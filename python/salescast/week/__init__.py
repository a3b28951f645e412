"""The week: planned, carried out and landed."""
