"""Action links as tokens: how they are written and proved, and the keys that sign them."""
