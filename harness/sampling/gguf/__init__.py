"""Models in GGUF files: found, read, and made ready for transformers."""
