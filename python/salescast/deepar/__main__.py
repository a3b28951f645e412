"""`python -m salescast.deepar`: the same as `python -m salescast.container`."""

import sys

from salescast.container.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
