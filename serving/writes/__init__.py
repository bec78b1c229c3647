"""What applications write: it lands, and the next release shows it."""
