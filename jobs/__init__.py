"""What you run: one file, one command; the only room that speaks Ray."""

import os

# Ray Serve reads it when it is imported: replicas then call each other by gRPC, and run our code in their own loop,
# which it never blocks (docs/decisions.md). On a cluster its nodes are started with it too.
os.environ.setdefault("RAY_SERVE_THROUGHPUT_OPTIMIZED", "1")
