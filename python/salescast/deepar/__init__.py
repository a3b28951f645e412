"""`python -m salescast.deepar`, for one release; the program is `salescast.container`."""
