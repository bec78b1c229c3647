"""How good the recommenders of a release are, as measured on what users did next."""
