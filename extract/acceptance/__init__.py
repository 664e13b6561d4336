"""The acceptance run: GPT-2's heads, measured by the definitions of published figures, beside those figures."""
