"""The product from files to published marts, on real engines."""
