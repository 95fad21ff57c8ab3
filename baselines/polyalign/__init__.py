"""The method ``polyalign``: fine-tuning on people's replies, weighted by bucket, then preferences for them."""
