"""YAML to typed settings, or every problem with its place. Without torch."""
