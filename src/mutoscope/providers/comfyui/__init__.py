"""ComfyUI: whatever an operator's own workflows make, at a pool of his own servers. See docs/providers/comfyui.md."""
