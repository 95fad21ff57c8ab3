"""Known remedies, each trained into a checkpoint that distalign evaluates like any other."""
