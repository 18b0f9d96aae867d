"""What people do, one module for each group of verbs. The web, the command line and agents call these and nothing below."""
