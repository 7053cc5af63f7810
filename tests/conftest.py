"""What all tests share: one thread, hypothesis without deadlines (a first call imports torch), no
colours, English.

And verdicts on claims that stay as they are, whatever the committed ones say.
"""

import os
import signal
from dataclasses import replace
from pathlib import Path

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"
# A background job of a shell script ignores SIGINT, and so would all that the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)
os.environ |= {"LC_ALL": "C.UTF-8", "NO_COLOR": "1"}

import numpy as np  # noqa: E402  # the threads above must be set before anything imports it or torch
import pytest  # noqa: E402
from hypothesis import settings  # noqa: E402

from regbench import data  # noqa: E402
from regbench.claims import verdicts  # noqa: E402

# The same examples in every run: a commit that has nothing to do with it is not to fail for a new
# one.
settings.register_profile("regbench", deadline=None, print_blob=True, derandomize=True)
settings.register_profile("explore", deadline=None, print_blob=True, max_examples=500)
settings.load_profile("regbench")

verdicts.VERDICTS = Path(__file__).with_name("verdicts.json")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes a minute: at the end, one core would be idle meanwhile."""
    items.sort(key=lambda item: item.path.name != "test_soak.py")


@pytest.fixture(scope="session")
def images() -> data.Images:
    """A few real digits, small enough for a CNN in float64, with a little noise.

    On a flat background a max-pool meets equal values, and which of them gets the gradient is
    anybody's choice.
    """
    full = data.load("mnist5k")
    digits = full.train_images[::10, ::2, ::2]
    noise = np.random.default_rng(0).integers(0, 40, digits.shape, dtype=np.uint8)
    return replace(
        full,
        train_images=digits // 2 + noise,
        train_labels=full.train_labels[::10],
        test_images=full.test_images[::10, ::2, ::2],
        test_labels=full.test_labels[::10],
    )
