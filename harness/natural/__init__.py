"""What a reply is like: features of its text, in English and Chinese."""
