"""What happened, recounted from what is stored."""
