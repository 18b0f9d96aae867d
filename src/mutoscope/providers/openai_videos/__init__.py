"""Servers that speak OpenAI's videos interface, by name: films from words or a picture. See docs/providers/openai-videos.md."""
