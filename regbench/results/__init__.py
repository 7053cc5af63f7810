"""The results directory: the contract between what trains and what compares. Without torch.

`runs.csv` has a row a run, `epochs.csv` a row a run and epoch, `details.csv` what pictures and
closer looks need of a run, and `probes.csv`, where the config has probes, a row a number that they
measured; beside them stand the resolved config, the environment and the dataset's fingerprint.
"""
