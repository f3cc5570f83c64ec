"""A browser: a page with what belongs to it, again, reloaded in both ways, in parts, left in the middle, and a WebSocket."""
from programs.chromium.scenarios import SCENARIOS

__all__ = ['SCENARIOS']
