"""The comparison and the reading of logs, with made-up ones."""
from __future__ import annotations

import unittest

from harness.access_log import Served, served
from harness.exact import exact
from harness.judge import differences, faults, surplus
from harness.scenario import Excess


class Judging(unittest.TestCase):
    def test_bytes_that_differ_are_told_with_their_place(self) -> None:
        self.assertEqual(exact(b'abc', b'abc'), 'exact')
        for got in (b'abd', b'ab', b'abcd', b''):
            self.assertIn('DIFFERS', exact(got, b'abc'))
        self.assertIn('from byte 2 on', exact(b'abd', b'abc'))

    def test_what_is_wrong_on_both_sides_is_wrong(self) -> None:
        wrong = {'bytes': exact(b'a', b'b')}
        self.assertTrue(faults(wrong))
        self.assertTrue(differences(wrong, wrong))

    def test_facts_that_differ_or_are_missing_are_told(self) -> None:
        self.assertEqual(differences({'a': '1'}, {'a': '1'}), [])
        self.assertEqual(differences({'a': '1'}, {'a': '2'}), ["a: directly '1', through the proxy '2'"])
        self.assertEqual(len(differences({'a': '1'}, {'b': '1'})), 2)

    def test_more_at_the_origin_is_told_unless_it_is_documented(self) -> None:
        direct = Served(10, 1000)
        self.assertEqual(surplus(direct, Served(10, 1000)), [])
        self.assertEqual(len(surplus(direct, Served(11, 1001))), 2)
        excess = Excess('why', requests=1, bytes=1)
        self.assertEqual(surplus(direct, Served(11, 1001), excess), [])
        self.assertEqual(len(surplus(direct, Served(12, 1002), excess)), 2)

    def test_a_log_is_read_without_requests_of_the_runner(self) -> None:
        lines = ['200 12 "GET /a HTTP/1.1" …', '304 - "GET /a HTTP/1.1" …', '200 99 "GET /runner/status?auto HTTP/1.1" …']
        read = served(lines)
        self.assertEqual((read.requests, read.bytes), (2, 12))


def self_test() -> bool:
    tests = unittest.defaultTestLoader.loadTestsFromTestCase(Judging)
    return unittest.TextTestRunner().run(tests).wasSuccessful()
