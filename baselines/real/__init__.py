"""Real models, and what the methods do to one of them."""
