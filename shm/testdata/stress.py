"""stress.py READER SEGMENT READS CLIENT...: stress.c for the Python reader of docs/shm.md, loaded from READER."""
import importlib.util
import sys

MASK = (1 << 64) - 1


def expected(client, number):
    b = client.encode().ljust(12, b"\0")
    x = int.from_bytes(b[:8], "little") * 0x9E3779B97F4A7C15 + int.from_bytes(b[8:], "little")
    x = (x + number * 0xD6E8FEB86659FD93) & MASK
    key = b""
    for i in range(4):
        x ^= x >> 29
        x = (x * 0xBF58476D1CE4E5B9 + i + 1) & MASK
        key += x.to_bytes(8, "little")
    return key


def main():
    spec = importlib.util.spec_from_file_location("hufu_reader", sys.argv[1])
    reader = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(reader)
    segment, want, clients = reader.Segment(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]
    reads = misses = 0
    while reads < want:
        for c in clients:
            e = segment.current(c)
            reads += 1
            if e is None:
                sys.exit("client %s: no current key" % c)
            if e.key != expected(c, e.number):
                sys.exit("torn key: client %s number %d" % (c, e.number))
            for n in range(e.number - 2, e.number + 2):
                e = segment.key(c, n)
                reads += 1
                if e is None or not e.status:
                    misses += 1
                elif e.number != n or e.key != expected(c, n):
                    sys.exit("torn key: client %s number %d" % (c, n))
    print("reads %d misses %d" % (reads, misses))


main()
