"""What a remedy cost the model: its language, its other abilities, its variety."""
