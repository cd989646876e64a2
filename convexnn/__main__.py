"""``python -m convexnn`` is the command ``convexnn``."""

import sys

from convexnn._cli import main

if __name__ == "__main__":
    sys.exit(main())
