"""A plan through an executor into a results directory."""
