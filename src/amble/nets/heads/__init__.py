"""The policy heads, one family a file; `nets/distributions.py` says what all of them answer."""
