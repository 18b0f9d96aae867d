"""Stand-ins for providers: they speak on a real port, misbehave on demand, and count what they would have been paid for."""
