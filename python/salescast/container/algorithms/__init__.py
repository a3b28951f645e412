"""The algorithms that a job can name: a folder or module each, with a module-level ALGORITHM."""
