"""Methods: each trains a model or changes its prompts, and writes a checkpoint that is evaluated like any other."""
