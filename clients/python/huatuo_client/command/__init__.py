"""The commands of `huatuo`: answers go to stdout, everything else to stderr."""
