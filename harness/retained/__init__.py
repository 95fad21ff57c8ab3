"""``utility``: what a method cost the model in perplexity, other abilities and diversity."""
