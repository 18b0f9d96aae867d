"""The worker, on a real store, real folders and a stub provider that counts."""
