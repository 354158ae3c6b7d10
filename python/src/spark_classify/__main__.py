"""`python -m spark_classify`, for where the console script is not installed."""

import sys

from spark_classify.cli import main

sys.exit(main())
