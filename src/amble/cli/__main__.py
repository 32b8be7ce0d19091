"""`python -m amble.cli` is `amble`."""

from amble.cli import main

raise SystemExit(main())
