"""What Unity's side asks for: the contract of its model loader and its demonstrations."""
