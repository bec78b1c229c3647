"""Vision boards: one picture of what a person bought, cares about and may like next."""
