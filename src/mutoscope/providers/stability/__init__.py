"""Stability AI: images at once; films from a picture at servers that still have them. See docs/providers/stability.md."""
