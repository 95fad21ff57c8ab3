"""transformers models: found, loaded, sampled, enumerated."""
