"""`python -m oidcclient` is the command `oidcclient`."""

import sys

from oidcclient.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
