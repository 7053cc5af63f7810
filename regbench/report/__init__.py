"""Comparison to text, page and pictures."""
