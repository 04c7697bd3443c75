"""`python -m syncline.cli`."""

import sys

from syncline.cli import main

sys.exit(main())
