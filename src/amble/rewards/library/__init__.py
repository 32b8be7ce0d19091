"""Amble's own terms: one file a purpose. None knows a body: signals carry whatever a body calls its parts.

Lengths are mostly compared with `standing_height`, so that one file suits a giant and a human.
"""
