"""Tasks and targets: what is asked, how it is read, what the distribution should be."""
