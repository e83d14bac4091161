"""Amazon States Language: checked, and lowered to the same program that native definitions become."""
