"""What a policy learns from besides the environment's reward: curiosity, novelty, demonstrations."""
