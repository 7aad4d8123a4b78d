"""What is kept on disk, behind a seam of five methods."""
