#!/usr/bin/env bash
# httpx 0.28.1 and requests 2.32.5 on Python 3.11: iter_lines() cuts a line of NDJSON at U+2028, U+2029 and U+0085, which JSON allows
# raw inside a string (RFC 8259 §7): both use str.splitlines(), which knows ten ends of a line. A record becomes two halves that are no
# JSON. urllib3 and aiohttp, which read bytes up to \n, give the record whole.
# Seen: one record, read as lines: httpx 4, requests 4
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check httpx==0.28.1 requests==2.32.5
cat > try.py <<'PY'
import json, sys, threading
from http.server import BaseHTTPRequestHandler, HTTPServer
import httpx, requests

record = json.dumps({"text": "a\u2028b\u2029c\u0085d"}, ensure_ascii=False)

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        body = (record + "\n").encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/x-ndjson; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

server = HTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/"
with httpx.Client(trust_env=False).stream("GET", url) as answer:
    by_httpx = list(answer.iter_lines())
session = requests.Session()
session.trust_env = False
by_requests = list(session.get(url, stream=True).iter_lines(decode_unicode=True))
print(f"one record, read as lines: httpx {len(by_httpx)}, requests {len(by_requests)}")
sys.exit(0 if len(by_httpx) == 4 and len(by_requests) == 4 else 1)
PY
timeout 60 venv/bin/python try.py
