"""Which cells, which runs, which strengths, which stacks: all of it follows from the config.

Without torch.
"""
