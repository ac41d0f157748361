#!/usr/bin/env python3
"""A reader of tiled logs, written from C2SP tlog-tiles, tlog-checkpoint and signed-note alone: no line is shared with
the program. It fetches all of a log, checks all of it, and prints one line of JSON.

usage: tiles.py PREFIX VKEY [CHECKPOINT-FILE-NAME]      PREFIX: an http address or a folder
"""

import base64, hashlib, json, os, struct, sys, urllib.request

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def fetch(prefix, path):
    if not prefix.startswith("http"):
        with open(os.path.join(prefix, path), "rb") as file:
            return file.read()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"{prefix}/{path}", timeout=30) as answer:
        kind = "text/plain; charset=utf-8" if not path.startswith("tile/") else "application/octet-stream"
        assert answer.headers["Content-Type"] == kind, (path, answer.headers["Content-Type"])
        return answer.read()


def sha(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def mth(hashes):
    """RFC 6962, section 2.1, over leaf hashes."""
    if not hashes:
        return sha(b"")
    if len(hashes) == 1:
        return hashes[0]
    k = 1
    while k * 2 < len(hashes):
        k *= 2
    return sha(b"\x01", mth(hashes[:k]), mth(hashes[k:]))


def number(n):
    """x001/x234/067"""
    text = f"{n % 1000:03}"
    while n := n // 1000:
        text = f"x{n % 1000:03}/{text}"
    return text


def checkpoint(data, vkey):
    name, key_id, material = vkey.split("+", 2)
    material = base64.b64decode(material)
    assert material[0] == 1 and sha(name.encode(), b"\n", material)[:4].hex() == key_id
    text, _, lines = data.decode().rpartition("\n\n")
    text += "\n"
    names = []
    for line in lines.splitlines():
        dash, who, signature = line.split(" ")
        signature = base64.b64decode(signature)
        assert dash == "—"
        if who == name and signature[:4].hex() == key_id:
            Ed25519PublicKey.from_public_bytes(material[1:]).verify(signature[4:], text.encode())
            names.append(None)
        else:
            names.append(who)
    assert None in names, "not signed by the log"
    origin, size, root = text.splitlines()
    return origin, int(size), base64.b64decode(root), [who for who in names if who]


def tiles(size, level):
    """Numbers and widths of the tiles of a level."""
    count = size // 256**level
    full, rest = divmod(count, 256)
    return [(n, 256) for n in range(full)] + ([(full, rest)] if rest else [])


def path(kind, n, width):
    return f"tile/{kind}/{number(n)}" + (f".p/{width}" if width < 256 else "")


def main():
    prefix, vkey = sys.argv[1:3]
    name = sys.argv[3] if len(sys.argv) > 3 else "checkpoint"
    origin, size, root, cosigners = checkpoint(fetch(prefix, name), vkey)
    leaves, total = [], 0
    for n, width in tiles(size, 0):
        data, at, entries = fetch(prefix, path("entries", n, width)), 0, []
        while at < len(data):
            (length,) = struct.unpack_from(">H", data, at)
            entries.append(data[at + 2:at + 2 + length])
            assert len(entries[-1]) == length
            at += 2 + length
        assert len(entries) == width, (n, width, len(entries))
        leaves += [sha(b"\x00", entry) for entry in entries]
        total += sum(len(entry) for entry in entries)
    level, hashes = 0, leaves
    while hashes:
        for n, width in tiles(size, level):
            assert fetch(prefix, path(level, n, width)) == b"".join(hashes[n * 256:n * 256 + width]), (level, n, width)
        hashes = [mth(hashes[i:i + 256]) for i in range(0, len(hashes) // 256 * 256, 256)]
        level += 1
    assert mth(leaves) == root, "the entries do not lead to the checkpoint"
    print(json.dumps({"origin": origin, "size": size, "root": root.hex(), "bytes": total, "cosigners": cosigners}))


if __name__ == "__main__":
    main()
