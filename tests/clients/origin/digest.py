"""A CGI program that says what it was sent: its length and digest."""
import hashlib
import json
import os
import sys

content = sys.stdin.buffer.read(int(os.environ.get('CONTENT_LENGTH') or 0))
answer = {'method': os.environ['REQUEST_METHOD'], 'length': len(content), 'sha256': hashlib.sha256(content).hexdigest()}
sys.stdout.write('Content-Type: application/json\r\n\r\n' + json.dumps(answer))
