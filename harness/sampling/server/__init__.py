"""The engine ``server``: servers that speak the OpenAI protocol."""
