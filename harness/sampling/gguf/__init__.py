"""Models in GGUF files: finds them, reads them, and makes them ready for transformers."""
