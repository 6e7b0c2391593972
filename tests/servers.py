"""A server on this machine that misbehaves in the ways of real ones."""

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

VERSION = '"one"'


class Handler(BaseHTTPRequestHandler):
    """Serves ``content`` under names that say how; ``asked`` counts, ``ranges`` keeps what was asked for."""

    content = b""
    asked = None
    ranges = None

    def do_GET(self):
        way = self.path.split("?")[0].strip("/").split("/")[0]
        self.asked[way] = self.asked.get(way, 0) + 1
        self.ranges.append(self.headers.get("Range"))
        getattr(self, f"way_{way}")()

    def way_good(self):
        self.answer(self.content, resumes=True)

    def way_plain(self):
        self.answer(self.content, resumes=False)

    def way_cut(self):
        """Ends early twice, in the middle of what is left."""
        self.answer(self.content, resumes=True, share=0.5 if self.asked["cut"] <= 2 else 1)

    def way_cut_plain(self):
        self.answer(self.content, resumes=False, share=0.5 if self.asked["cut_plain"] <= 1 else 1)

    def way_always_cut(self):
        self.answer(self.content, resumes=False, share=0.5)

    def way_changed(self):
        """Cut, and when it is asked again it is another version."""
        if self.asked["changed"] == 1:
            self.answer(b"old" + self.content[3:], resumes=True, share=0.5, version='"zero"')
        else:
            self.answer(self.content, resumes=True)

    def way_wrong(self):
        self.answer(self.content[::-1], resumes=True)

    def way_forbidden(self):
        self.send_error(403)

    def way_gone(self):
        self.send_error(404)

    def way_busy(self):
        """Busy once."""
        if self.asked["busy"] == 1:
            self.send_response(503)
            self.send_header("Retry-After", "0")
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            self.way_good()

    def way_moved(self):
        self.send_response(302)
        self.send_header("Location", "/good/file")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def way_login(self):
        self.answer(b"\n <!DOCTYPE html><html><body>Please log in.</body></html>", resumes=False)

    def way_silent(self):
        self.server.quiet.wait(5)

    def answer(self, body, resumes, share=1.0, version=VERSION):
        start = 0
        asked = self.headers.get("Range")
        if asked and resumes and self.headers.get("If-Range") == version:
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            if start >= len(body):
                self.send_error(416)
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        else:
            self.send_response(200)
        self.send_header("ETag", version)
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        rest = body[start:]
        self.wfile.write(rest[: int(len(rest) * share)])
        self.close_connection = True

    def log_message(self, *args):
        """Say nothing."""


@contextmanager
def server(content, handler=Handler):
    """(address, how often each way was asked, the Range headers)."""
    own = type("Own", (handler,), {"content": content, "asked": {}, "ranges": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), own) as running:
        running.quiet = threading.Event()
        running.daemon_threads = True
        thread = threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{running.server_address[1]}", own.asked, own.ranges
        finally:
            running.quiet.set()
            running.shutdown()
            thread.join()
