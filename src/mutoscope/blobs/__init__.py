"""Where bytes live: one port, one file per backend."""
