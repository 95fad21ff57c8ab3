"""The engine ``hf``: finds and loads transformers models, draws from them, and computes exact and choices."""
