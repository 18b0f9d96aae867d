"""The drawing: words become a theme, a theme and a family become a scene, a scene gives a frame for every moment."""
