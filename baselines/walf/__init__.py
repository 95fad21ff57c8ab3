"""WALF: a weighted adaptive loss on the association of gendered words with professions."""
