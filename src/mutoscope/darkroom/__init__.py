"""What becomes of the bytes: facts, posters, thumbnails, previews. Nothing is decoded outside the jail."""
