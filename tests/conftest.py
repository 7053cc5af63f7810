"""What all tests share: one thread, hypothesis without deadlines (a first call imports torch), no colours, English.

And verdicts on claims that stay as they are, whatever the committed ones say.
"""

import os
from pathlib import Path

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"
os.environ |= {"LC_ALL": "C.UTF-8", "NO_COLOR": "1"}

from hypothesis import settings  # noqa: E402  # the threads above must be set before anything imports torch

from regbench import evidence  # noqa: E402

settings.register_profile("regbench", deadline=None, print_blob=True)
settings.load_profile("regbench")

evidence.VERDICTS = Path(__file__).with_name("verdicts.json")
