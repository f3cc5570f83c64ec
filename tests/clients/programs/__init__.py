"""The clients. A module for each has its SCENARIOS; some have files of their own to `fill` into the site."""
