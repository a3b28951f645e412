"""Weekly series side by side, and what a model is shown of them at a cutoff."""
