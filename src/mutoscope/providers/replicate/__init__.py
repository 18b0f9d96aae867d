"""Replicate: images and films of many makers' models. See docs/providers/replicate.md."""
