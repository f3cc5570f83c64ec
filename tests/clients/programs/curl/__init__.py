"""curl: whole, in parts, resumed, on conditions, coded, in parallel, as HTTP/1.0, and uploads."""
from __future__ import annotations

from harness.scenario import Scenario
from programs.curl import conditions, downloads, parts, uploads

SCENARIOS = [
    Scenario('curl', 'whole', downloads.whole),
    Scenario('curl', 'head', downloads.head),
    Scenario('curl', 'range', parts.ranges),
    Scenario('curl', 'ranges', parts.several_ranges),
    Scenario('curl', 'resume', parts.resume),
    Scenario('curl', 'since', conditions.since),
    Scenario('curl', 'etag', conditions.etags),
    Scenario('curl', 'compressed', downloads.compressed),
    Scenario('curl', 'parallel', downloads.parallel),
    Scenario('curl', 'http-1.0', downloads.old),
    Scenario('curl', 'upload', uploads.upload),
    Scenario('curl', 'errors', downloads.errors),
]
