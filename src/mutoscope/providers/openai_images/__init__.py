"""OpenAI's images, and servers that speak its images interface. See docs/providers/openai-images.md."""
