"""Claims: statements, the experiments that could refute them, and the rules that decide."""
