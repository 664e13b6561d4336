"""The price of a threshold: what a model loses when every head is silenced wherever it writes less than that, beside controls.

Read in this order: settings (what is asked), plan (the list of interventions, without torch), observed (the unchanged pass), masks (which
pairs an intervention changes), editing (how they are changed), predictions (what that does), single_heads, window (one transaction),
calibrate (the command)."""
