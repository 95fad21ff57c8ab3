"""KL + KTO: a steering token calibrated to the target, and text bound to it."""
