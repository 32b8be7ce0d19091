"""The checker behind every shape and type in the test run: beartype, with an int welcome where a float is asked."""

from beartype import BeartypeConf, beartype

check = beartype(conf=BeartypeConf(is_pep484_tower=True))
