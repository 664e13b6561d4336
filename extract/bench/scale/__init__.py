"""What many workers cost, measured here with two, and what more of them would do, by a simulation with the measured constants."""
