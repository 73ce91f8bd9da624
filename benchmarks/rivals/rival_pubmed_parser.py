"""Run by the rival's own interpreter, which has pubmed_parser and nothing of pubray.

records PATH OPTIONS: print what parse_medline_xml yields as JSON lines. time PATH OPTIONS: let it yield, print nothing
but how many, its CPU seconds without imports, and the peak of the process's memory. OPTIONS: JSON, its keywords.
"""

import json
import resource
import sys
import time

from pubmed_parser import parse_medline_xml  # type: ignore[import-not-found]


def main() -> None:
    """Do one of the two."""
    task, path, options = sys.argv[1:]
    start = time.process_time()
    records = parse_medline_xml(path, **json.loads(options))
    if task == "records":
        sys.stdout.writelines(json.dumps(record) + "\n" for record in records)
        return
    count = sum(1 for _ in records)
    seconds = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    sys.stdout.write(json.dumps({"records": count, "seconds": seconds, "peak_bytes": peak}) + "\n")


if __name__ == "__main__":
    main()
