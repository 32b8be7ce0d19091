"""Actor, critic, and the distributions and normalisers that belong to them."""
