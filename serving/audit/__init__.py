"""What landed and what was released: the same records that the command line shows."""
