"""The right answer of each folder of the cases, on its own files and through the commands."""
