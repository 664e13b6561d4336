"""The benchmark: what measuring costs beside a plain forward pass, and beside other ways to the same numbers."""
