"""A self-hosted studio for AI images and video."""

__version__ = "0.1.0"
