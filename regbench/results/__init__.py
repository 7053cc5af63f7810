"""The results directory: the contract between what trains and what compares. Without torch."""
