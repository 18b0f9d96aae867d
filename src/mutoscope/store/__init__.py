"""Where records live: one port, one folder per backend."""
