"""lm-eval: tasks exported for it."""
