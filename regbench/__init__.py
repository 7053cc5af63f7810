"""regbench: which regularizer helps on MNIST/CIFAR, by how much, at what cost and why."""

__version__ = "0.1.0"
