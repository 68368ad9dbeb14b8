"""A collector of OpenTelemetry that prints what it gets: first its port, then each request as a JSON line. It answers with the status that it last read from its input."""

import http.server
import sys
import threading

from google.protobuf.json_format import MessageToJson
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

status = 200


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.read_chunks()
        request = ExportMetricsServiceRequest.FromString(body)
        # Who reads the line may set another status at once: that is for the next request.
        answer = status
        print(MessageToJson(request, indent=None), flush=True)
        self.send_response(answer)
        self.send_header("content-length", "0")
        self.end_headers()

    def read_chunks(self):
        """The library sends bodies in chunks."""
        chunks = []
        while size := int(self.rfile.readline(), 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_port, flush=True)
for line in sys.stdin:
    status = int(line)
    print("{}", flush=True)
