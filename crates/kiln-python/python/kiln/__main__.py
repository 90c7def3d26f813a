"""`python -m kiln` is the command `kiln`."""

import sys

from ._command import main

sys.exit(main())
