"""watch.py READER SEGMENT CLIENT: watch.c for the Python reader of docs/shm.md, loaded from READER."""
import importlib.util
import sys

spec = importlib.util.spec_from_file_location("hufu_reader", sys.argv[1])
reader = importlib.util.module_from_spec(spec)
spec.loader.exec_module(reader)
segment = reader.Segment(sys.argv[2])
print("ready", flush=True)
for _ in sys.stdin:
    try:
        e = segment.current(sys.argv[3])
        print(e.number if e else "absent", flush=True)
    except reader.SegmentError as err:
        print(err, flush=True)
