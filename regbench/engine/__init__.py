"""Training: everything whose change changes a number, with nn, models, regularizers, probes and
data.
"""
