"""What the demo shows before anybody has made anything."""
