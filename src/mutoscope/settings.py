"""Settings: environment variables, each as ``NAME`` or, for what is secret, as a file named by ``NAME_FILE``."""
