"""Direct preference optimisation between answers of different classes, after supervised fine-tuning."""
