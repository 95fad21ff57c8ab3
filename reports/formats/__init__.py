"""Results in the forms in which others collect them."""
