"""The rules of the house: pure Python, no input or output, imports nothing else of ours."""
