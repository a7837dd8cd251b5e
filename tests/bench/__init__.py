"""`make bench`: speed beside a raw ceiling measured in the same run (design, section 7)."""
