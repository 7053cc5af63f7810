"""Records to comparison, without torch."""
