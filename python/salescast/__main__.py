"""`python -m salescast` is the command `salescast`."""

from salescast.cli import main

if __name__ == "__main__":
    main()
