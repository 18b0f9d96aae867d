"""Those who make the pictures and films: one port, models as data, one folder per provider."""
