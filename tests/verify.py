#!/usr/bin/env python3
"""A second verifier, written from docs/format.md alone: Python's standard library and OpenSSL's Ed25519.

usage: verify.py TREATY.toml PROFILE.toml FILE_OR_FOLDER_OR_ARCHIVE...

Prints one line of JSON for each. Exit code 0 if all of them verify, 1 if not, or if an archive (`.tar.zst`) cannot be
unpacked here: that takes Python's package zstandard or the command zstd.
"""

import base64, bisect, calendar, copy, datetime, hashlib, importlib.util, itertools, json, os, re, shutil, struct, subprocess
import sys, tempfile, tomllib, unicodedata, zoneinfo

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


class Refused(Exception):
    pass


def need(condition, why):
    if not condition:
        raise Refused(why)


# Section 2: hashes, base64, decimals, times

def sha(data):
    return hashlib.sha256(data).digest()


def b64(text):
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        raise Refused("base64")
    need(base64.b64encode(data).decode() == text, "base64 in another form")
    return data


def hash64(text):
    data = b64(text)
    need(len(data) == 32, "a hash has 32 bytes")
    return data


def unhex(text):
    need(isinstance(text, str) and re.fullmatch("[0-9a-f]{64}", text), "a hash in hexadecimal")
    return bytes.fromhex(text)


def decimal(text, most=2**63 - 1):
    need(re.fullmatch("0|[1-9][0-9]{0,19}", text) and int(text) <= most, "a decimal")
    return int(text)


def is_time(text):
    if not isinstance(text, str) or not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", text, re.A):
        return False
    try:
        datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ")
    except ValueError:
        return False
    return "1970" <= text < "9999" and text[17:19] != "60"


def time_of(seconds):
    last = datetime.datetime(9998, 12, 31, 23, 59, 59)
    epoch = datetime.datetime(1970, 1, 1)
    seconds = min(seconds, int((last - epoch).total_seconds()))
    return (epoch + datetime.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")


def is_code(text):
    return isinstance(text, str) and re.fullmatch("[A-Z][A-Z0-9]{1,7}", text) is not None


def is_kind(text):
    return isinstance(text, str) and re.fullmatch("[a-z][a-z0-9-]{0,63}", text) is not None


# Section 20: characters, by Unicode 14.0. Lengths of runs of code points: may not stand, may stand, and so on.

RUNS = """
20 5f 21 d 1 2ca 2 6 4 7 1 1 1 14 1 18d 1 26 2 32 2 3 1 37 8 1b 4 6 11 16 1 c0 1 30 2 3b 2 65 e 3b 2 31 2 f 1 1c
2 1 1 b 5 1f 9 4a 1 a1 1 8 2 2 2 16 1 7 1 1 3 4 2 9 2 2 2 4 8 1 4 2 1 5 2 19 2 3 1 6 4 2 2 16 1 7 1 2 1 2 1 2 2
1 1 5 4 2 2 3 3 1 7 4 1 1 7 11 a 3 1 9 1 3 1 16 1 7 1 2 1 5 2 a 1 3 1 3 2 1 f 4 2 c 7 7 1 3 1 8 2 2 2 16 1 7 1 2
1 5 2 9 2 2 2 3 7 3 4 2 1 5 2 12 a 2 1 6 3 3 1 4 3 2 1 1 1 2 3 2 3 3 3 c 4 5 3 3 1 4 2 1 6 1 e 15 5 d 1 3 1 17 1
10 2 9 1 3 1 4 7 2 1 3 2 1 2 4 2 a 7 16 1 3 1 17 1 a 1 5 2 9 1 3 1 4 7 2 6 2 1 4 2 a 1 2 d d 1 3 1 33 1 3 1 6 4
10 2 1a 1 3 1 12 3 18 1 9 1 1 2 7 3 1 4 6 1 1 1 8 6 a 2 3 c 3a 4 1d 25 2 1 1 1 5 1 18 1 1 1 17 2 5 1 1 1 6 2 a 2
4 20 48 1 24 4 27 1 24 1 f 1 d 25 c6 1 1 5 1 2 179 1 4 2 7 1 1 1 4 2 29 1 4 2 21 1 4 2 7 1 1 1 4 2 f 1 39 1 4 2
43 2 20 3 1a 6 56 2 6 2 29d 3 59 7 16 9 18 9 14 c d 1 3 1 2 c 5e 2 a 6 a 6 e 1 b 6 59 7 2b 5 46 a 1f 1 c 4 c 4 1
3 2a 2 5 b 2c 4 1a 6 b 3 3e 2 41 1 1d 2 b 6 a 6 e 2 1f 31 4d 3 2f 1 74 8 3c 3 f 3 3c 7 2b 2 b 8 2b 5 216 2 6 2
26 2 6 2 8 1 1 1 1 1 1 1 1f 2 35 1 f 1 e 2 6 1 13 2 3 1 9 1 b 5 18 7 31 10 2 2 1b 1 d 3 21 f 21 f 8c 4 297 19 b
15 714 2 20 1 15d 5 2d 1 1 5 1 2 38 7 2 e 18 9 7 1 7 1 7 1 7 1 7 1 7 1 7 1 7 1 7e 22 1a 1 59 c d6 1a c 4 40 1 56
2 67 5 2b 1 5e 1 54 c 2f 1 726d 3 37 9 15c 14 b8 8 cb 5 2 1 1 1 5 18 3b 3 a 6 38 8 46 8 c 6 74 b 1e 3 4e 1 b 4
21 1 37 9 e 2 a 2 67 18 1c a 6 2 6 2 6 9 7 1 7 1 3c 4 7e 2 a 6 2ba4 c 17 4 31 4 226e 2 6a 26 7 c 5 5 1a 1 5 1 1
1 2 1 2 1 7d 10 1bd 2 36 7 1 20 2a 6 33 1 13 1 4 4 5 1 87 4 be 3 6 2 6 2 6 2 3 3 7 1 7 d 2 2 c 1 1a 1 13 1 2 1 f
2 e 22 7b 5 3 4 2d 3 58 1 d 3 1 2f 2e 82 1d 3 31 f 1c 4 24 9 1e 5 2b 5 1e 1 25 4 e 2a 9e 2 a 6 24 4 24 4 28 8 34
b c 1 f 1 7 1 2 1 b 1 f 1 7 1 2 43 137 9 16 a 8 18 6 1 2a 1 9 45 6 2 1 1 2c 1 2 3 1 2 17 1 48 8 9 30 13 1 2 5 21
3 1b 5 1 40 38 4 14 2 32 1 2 5 8 1 3 1 1d 2 3 4 a 7 9 7 40 20 27 4 c 9 36 3 1d 2 1b 5 1a 7 4 c 7 50 49 37 33 d
33 7 2e 8 a 126 1f 1 2a 1 3 2 2 4e 28 8 2a 16 1a 26 1c 14 17 9 4e 4 24 9 3e 1 5 d 19 7 a 6 35 1 12 8 27 9 60 1
14 b 12 1 2c 41 7 1 1 1 4 1 f 1 b 6 3b 5 a 6 4 1 8 2 2 2 16 1 7 1 2 1 5 1 a 2 2 2 3 2 1 6 1 5 7 2 7 3 5 8b 5c 1
5 1e 48 8 a a6 36 2 26 22 45 b a 6 d 13 3a 6 a 36 1b 2 f 4 17 b9 3c 64 53 c 8 2 1 2 8 1 2 1 1e 1 2 2 c 9 a 46 8
2 2e 2 b 1b 48 8 53 d 49 107 9 1 2d 1 e a 1d 3 20 2 16 1 e 49 7 1 2 1 2c 3 1 1 2 1 9 8 a 6 6 1 2 1 25 1 2 1 6 7
a 136 19 b7 1 f 32 d 39b 66 6f 1 5 b c4 a4c 63 d 42f fd1 247 21b9 239 7 1f 1 a 4 51 1 a 6 1e 2 6 a 46 a a 1 7 1
15 5 13 2b0 5b 65 4b 4 39 7 11 40 5 b 2 e 17f8 8 4d6 2a 9 22e7 4 1 7 1 2 1 123 2d 3 11 4 8 18c 904 6b 5 d 3 9 7
a 2 4 1260 2e 2 17 9 74 3c f6 a 27 2 4a 8 70 15 46 9a 14 c 57 9 19 87 55 1 47 1 2 2 1 2 2 2 4 1 c 1 1 1 7 1 41 1
4 2 8 1 7 1 1c 1 4 1 5 1 1 3 7 1 154 2 124 2 2be f 5 1 f 450 1f e1 7 1 11 2 7 1 2 1 5 d5 2d 3 e 2 a 4 2 140 1f
11 3a 5 1 4e0 7 1 4 1 2 1 f 1 c5 2 10 29 4c 4 a 4 2 311 44 4c 3d c2 4 1 1b 1 2 1 1 2 1 1 a 1 4 1 1 1 1 6 1 4 1 1
1 1 1 1 3 1 2 1 1 2 1 1 1 1 1 1 1 1 1 1 2 1 1 2 4 1 7 1 4 1 4 1 1 1 a 1 11 5 3 1 5 1 11 34 2 10e 2c 4 64 c f 2 f
1 f 1 25 a ae 38 1d d 2c 4 9 7 2 e 6 9a 3d8 5 10 3 d 3 74 c 59 7 c 4 1 f c 4 38 8 a 6 28 8 1e 2 2 4e 154 c e 2 5
3 5 3 7 9 1d 3 b 5 6 a a 6 8 8 7 9 93 1 37 25 a 406 a6e0 20 1039 7 de 2 1682 e 1d31 c1f 21e 5e2 134b aedb5 f0
fe10 fffe 2 fffe 2
"""
ENDS = list(itertools.accumulate(int(run, 16) for run in RUNS.split()))


def is_visible(text):
    return all(" " <= c <= "~" or bisect.bisect_right(ENDS, ord(c)) % 2 for c in text)


# Section 3: keys

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P


def add(a, b):
    (x1, y1), (x2, y2) = a, b
    k = D * x1 * x2 * y1 * y2 % P
    return ((x1 * y2 + x2 * y1) * pow(1 + k, -1, P) % P, (y1 * y2 + x1 * x2) * pow(1 - k, -1, P) % P)


def admissible(public):
    """Canonical, on the curve, not of small order, without a torsion part."""
    number = int.from_bytes(public, "little")
    y, sign = number & (2**255 - 1), number >> 255
    if y >= P:
        return False
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * pow(2, (P - 1) // 4, P) % P
    if x * x % P != square or (x == 0 and sign):
        return False
    point, result, scalar = (x if x % 2 == sign else P - x, y), (0, 1), L
    if point == (0, 1):
        return False
    while scalar:
        if scalar & 1:
            result = add(result, point)
        point, scalar = add(point, point), scalar >> 1
    return result == (0, 1)


def is_name(name):
    bad = re.search("[+ \xa0\u1680\u2000-\u200a\u202f\u205f\u3000]", name) or not is_visible(name)
    return 1 <= len(name.encode()) <= 200 and not bad


class Key:
    known = {}

    def __init__(self, text):
        parts = text.split("+", 2) if isinstance(text, str) else []
        need(len(parts) == 3 and is_name(parts[0]), "a vkey")
        material = b64(parts[2])
        need(len(material) == 33 and material[0] in (1, 4), "key material")
        self.name, self.kind, self.public, self.text = parts[0], material[0], material[1:], text
        self.id = sha(self.name.encode() + b"\n" + material)[:4]
        need(self.id.hex() == parts[1], "key id")
        if self.public not in Key.known:
            Key.known[self.public] = admissible(self.public)
        need(Key.known[self.public], "an inadmissible key")

    def verifies(self, message, signature):
        # With an admissible key, the only R of small order for which the equation can hold is the neutral element.
        if len(signature) != 64 or signature[:32] == b"\x01" + bytes(31):
            return False
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except InvalidSignature:
            return False
        return True


# Section 4: signed notes

class Note:
    def __init__(self, data):
        need(len(data) <= 65535, "a note is too long")
        need(not any(byte < 32 and byte != 10 for byte in data), "control characters in a note")
        try:
            whole = data.decode()
        except UnicodeDecodeError:
            raise Refused("a note is not UTF-8")
        at = whole.rfind("\n\n")
        need(at >= 1 and whole.endswith("\n"), "the shape of a note")
        self.text, self.lines = whole[:at + 1], []
        for line in whole[at + 2:-1].split("\n"):
            match = re.fullmatch("— ([^ ]+) ([^ ]+)", line)
            need(match and is_name(match[1]), "a signature line")
            signature = b64(match[2])
            need(len(signature) >= 5, "a short signature")
            self.lines.append((match[1], signature[:4], signature[4:]))
        need(len(self.lines) <= 64, "too many signatures")

    def by(self, key):
        return [signature for name, id, signature in self.lines if (name, id) == (key.name, key.id)]

    def signed_by(self, key):
        lines = self.by(key)
        return key.kind == 1 and bool(lines) and all(key.verifies(self.text.encode(), line) for line in lines)

    def cosigned_by(self, key):
        """The time of the cosignature, or None."""
        seconds = None
        for line in self.by(key):
            need(len(line) == 72 and key.kind == 4, "the length of a cosignature")
            seconds = struct.unpack(">Q", line[:8])[0]
            message = f"cosignature/v1\ntime {seconds}\n{self.text}".encode()
            need(seconds < 2**63 and key.verifies(message, line[8:]), "a cosignature")
        return None if seconds is None else time_of(seconds)


# Section 5: canonical JSON

def quoted(text):
    short = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}
    return '"' + "".join(short.get(c) or (f"\\u{ord(c):04x}" if c < " " else c) for c in text) + '"'


def write(value, plain, depth=0):
    need(depth <= 32, "too deep")
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, int):
        need(abs(value) <= 2**53, "an integer that is too large")
        return str(value)
    if isinstance(value, str):
        need(not plain or (is_visible(value) and unicodedata.is_normalized("NFC", value)), "text that is not plain")
        return quoted(value)
    if isinstance(value, list):
        return "[" + ",".join(write(item, plain, depth + 1) for item in value) + "]"
    need(isinstance(value, dict), "null or a fraction")
    keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
    return "{" + ",".join(write(k, plain) + ":" + write(value[k], plain, depth + 1) for k in keys) + "}"


def canonical(text, most, plain):
    """Reads a text that is its own canonical form: writing its value again gives it."""
    need(len(text.encode()) <= most, "too long a text")
    try:
        value = json.loads(text)
        need(write(value, plain) == text, "not canonical JSON")
    except (ValueError, RecursionError):
        raise Refused("not JSON")
    return value


def line(text, most, plain):
    need(text.endswith("\n"), "a line")
    return canonical(text[:-1], most, plain)


def fields(value, required, optional=()):
    need(isinstance(value, dict), "an object")
    need(set(required) <= set(value) <= set(required) | set(optional), "fields")
    return value


def array(value, least, most):
    need(isinstance(value, list) and least <= len(value) <= most, "an array")
    return value


# Section 6: treaty file, policy, profile

def check_policy(whole, quorum, codes):
    """Refuses lines that are no quorum of these parties."""
    need(len(whole.encode()) <= 65536 and not any(c < " " and c not in "\t\n" or c == "\x7f" for c in quorum), "a policy's text")
    defined, members, found = set(codes), set(), False
    for text in quorum.split("\n"):
        match text.replace("\t", " ").split():
            case []:
                pass
            case [first, *_] if first.startswith("#"):
                pass
            case ["group", name, k, *names]:
                need(set(names) <= defined and len(set(names)) == len(names) and not set(names) & members, "a group's members")
                need(k in ("any", "all") or re.fullmatch("[1-9][0-9]{0,8}", k), "a threshold")
                need(names and (k in ("any", "all") or int(k) <= len(names)), "a threshold")
                need(name != "none" and name not in defined, "a group's name")
                defined.add(name)
                members |= set(names)
            case ["quorum", name]:
                need(not found and (name == "none" or name in defined), "the quorum")
                found = True
            case _:
                raise Refused("a policy's line")
    need(found, "no quorum")


class Treaty:
    def __init__(self, data):
        need(len(data) <= 1 << 20, "treaty file too long")
        self.hash = sha(data)
        file = tomllib.loads(data.decode())
        self.name, self.parties = file["name"], file["party"]
        self.profile_hash = unhex(file["profile_sha256"])
        self.codes = [party["code"] for party in self.parties]
        need(file["version"] == 1 and all(map(is_code, self.codes)), "treaty file")
        self.policy, seen = "", set()
        for party in self.parties:
            origin = self.origin(party["code"])
            for job, kind, name in (("root", 1, origin + "/root"), ("log", 1, origin), ("witness", 4, origin + "/witness")):
                key = Key(party[job])
                need((key.name, key.kind) == (name, kind) and key.public not in seen, f"the {job} key of {origin}")
                seen.add(key.public)
                party[job] = key
            self.policy += f"log {party['log'].text}\nwitness {party['code']} {party['witness'].text}\n"
        self.policy += file["quorum"]
        check_policy(self.policy, file["quorum"], self.codes)
        self.quorums, self.statuses, self.chain, self.seen, self.rule = [file["quorum"]], [], [], seen, None
        self.peers = {party["peer"] for party in self.parties}
        self.number_codes()

    def number_codes(self):
        self.codes = [party["code"] for party in self.parties]
        self.by_code = dict(zip(self.codes, self.parties))
        self.by_origin = {self.origin(code): code for code in self.codes}

    def origin(self, code):
        return f"{self.name}/{code}"

    def satisfied(self, have, place=(0, "")):
        """Section 9a: a group or witness that is gone is None."""
        number, clock = place
        holds = {code: None if self.former(code, number, clock) else code in have for code in self.codes}
        quorum = "none"
        for text in self.quorums[number].split("\n"):
            match re.split("[ \t]+", text.strip(" \t")):
                case ["group", name, k, *members]:
                    k = {"any": 1, "all": len(members)}.get(k) or int(k)
                    left = [holds[member] for member in members if holds[member] is not None]
                    holds[name] = sum(left) >= min(k, len(left)) if left else None
                case ["quorum", name]:
                    quorum = name
        return quorum == "none" or holds[quorum] is True

    # Section 9a: amendments

    def status(self, code, number, time):
        """The change of status that holds for a party at a time."""
        holds = [(since, n, at, roles) for at, (n, party, roles, since) in enumerate(self.statuses)
                 if n <= number and party == code and since <= time]
        return max(holds, default=None)

    def roles(self, code, number, time):
        change = self.status(code, number, time)
        return change[3] if change else self.by_code[code]["roles"]

    def former(self, code, number, time):
        change = self.status(code, number, time)
        return change is not None and not set(change[3]) & {"state-party", "depositary"}

    def at_time(self, time, sender):
        """With the roles that each party has at a time. A sender that has left keeps those that it had last."""
        out = copy.copy(self)
        out.by_code = {}
        for code, party in self.by_code.items():
            seen = self
            if code == sender and self.former(code, len(self.chain), time):
                seen = copy.copy(self)
                seen.statuses = [one for one in self.statuses if set(one[2]) & {"state-party", "depositary"}]
            out.by_code[code] = {**party, "roles": seen.roles(code, len(self.chain), time)}
        return out

    def first(self, number):
        out = copy.copy(self)
        out.chain, out.quorums = self.chain[:number], self.quorums[:number + 1]
        out.statuses = [status for status in self.statuses if status[0] <= number]
        out.parties = self.parties[:out.chain[-1][2] if out.chain else self.base()]
        keys = [party[job].public for party in out.parties for job in ("root", "log", "witness")]
        out.seen, out.peers = set(keys), {party["peer"] for party in out.parties}
        out.number_codes()
        return out

    def base(self):
        return self.chain[0][3] if self.chain else len(self.parties)

    def amended(self, data):
        """The treaty with its next amendment; refused if the note is not that."""
        note = Note(data)
        value, number = line(note.text, 40000, True), len(self.chain) + 1
        fields(value, ("action", "changes", "issued", "ledger", "number", "prev", "v"))
        need(value["action"] == "amend" and is_time(value["issued"]) and type(value["v"]) is int and value["v"] == 1, "amendment")
        need(unhex(value["ledger"]) == self.hash and value["number"] == number <= 256, "another ledger or number")
        need(unhex(value["prev"]) == (self.chain[-1][0] if self.chain else self.hash), "it builds on another one")
        need(not self.chain or self.chain[-1][4] <= value["issued"], "it is dated before the one that it builds on")
        out, roots, quorum = self.first(number - 1), [], self.quorums[-1]
        out.parties, out.statuses, out.seen, out.peers = list(out.parties), list(out.statuses), set(out.seen), set(out.peers)
        quorums = 0
        for change in array(value["changes"], 1, 64):
            need(isinstance(change, dict), "a change")
            match change.get("change"):
                case "accede":
                    party = dict(fields(fields(change, ("change", "party"))["party"], PARTY))
                    code = party["code"]
                    need(is_code(code) and code not in {p["code"] for p in out.parties} and party["peer"] not in out.peers, "the code")
                    need(array(party["roles"], 1, 256) and all(isinstance(role, str) for role in party["roles"]), "the entry")
                    need(set(party["roles"]) <= ROLES and isinstance(party["name"], str), "the entry")
                    need(1 <= len(party["name"].encode()) <= 200 and is_peer(party["peer"]), "the entry")
                    addresses(party["addresses"])
                    origin = self.origin(code)
                    for job, kind, name in (("root", 1, origin + "/root"), ("log", 1, origin), ("witness", 4, origin + "/witness")):
                        key = Key(party[job])
                        need((key.name, key.kind) == (name, kind) and key.public not in out.seen, f"the {job} key of {origin}")
                        out.seen.add(key.public)
                        party[job] = key
                    out.peers.add(party["peer"])
                    out.parties.append(party)
                    roots.append(party["root"])
                case "addresses":
                    fields(change, ("addresses", "change", "party"))
                    addresses(change["addresses"])
                    need(change["party"] in {p["code"] for p in out.parties}, "whose addresses")
                case "quorum":
                    lines = array(fields(change, ("change", "lines"))["lines"], 0, 256)
                    need(all(re.match("[ \t]*(group|quorum)[ \t]", text) for text in lines), "the quorum's lines")
                    quorum, quorums = "".join(text + "\n" for text in lines), quorums + 1
                case "status":
                    fields(change, ("change", "from", "party", "roles"))
                    roles = array(change["roles"], 0, 3)
                    need(set(roles) <= ROLES and len(set(roles)) == len(roles), "roles")
                    need(change["party"] in {p["code"] for p in out.parties}, "whose status")
                    need(is_time(change["from"]) and change["from"] >= value["issued"], "since when")
                    out.statuses.append((number, change["party"], roles, change["from"]))
                case _:
                    raise Refused("a change that is not known")
        need(quorums <= 1, "two quorums")
        need(len(out.parties) <= 256, "too many parties")
        lines = "".join(f"log {p['log'].text}\nwitness {p['code']} {p['witness'].text}\n" for p in out.parties)
        check_policy(lines + quorum, quorum, [party["code"] for party in out.parties])
        out.quorums = self.quorums[:number] + [quorum]
        out.number_codes()
        out.chain = self.chain + [(sha(note.text.encode()), unhex(value["prev"]), len(out.parties), self.base(), value["issued"])]
        # Who has signed, as the treaty stands without it.
        need(self.rule is not None, "the profile has no rule for amendments")
        signed, depositaries, parties = 0, 0, 0
        for code in self.codes:
            held = self.roles(code, number - 1, value["issued"])
            if not set(held) & {"state-party", "depositary"}:
                continue
            parties += "state-party" in held
            root = self.by_code[code]["root"]
            if note.by(root):
                need(note.signed_by(root), "a root's signature")
                signed += "state-party" in held
                depositaries += "depositary" in held
        above, below = map(int, self.rule["share"].split("/"))
        need(signed >= -(-parties * above // below), "too few parties signed")
        need(depositaries >= self.rule.get("depositaries", 0), "too few depositaries signed")
        need(all(note.signed_by(root) for root in roots), "a state accedes that has not signed")
        return out


def is_peer(text):
    return isinstance(text, str) and re.fullmatch("[A-Za-z0-9]{46,64}", text) is not None


def addresses(value):
    fit = lambda text: isinstance(text, str) and text.startswith("/") and len(text.encode()) <= 256
    need(all(map(fit, array(value, 0, 16))), "addresses")


PARTY = ("addresses", "code", "log", "name", "peer", "roles", "root", "witness")
ROLES = {"state-party", "depositary", "observer"}


class Adoption:
    """Which amendments hold in one log, by place; `treaty` has all that are known, and grows."""

    def __init__(self, treaty):
        self.treaty, self.points, self.contested = treaty, [], False

    def last(self):
        return self.points[-1][1] if self.points else (0, "")

    def at(self, index):
        return next((place for since, place in reversed(self.points) if since <= index), (0, ""))

    def passes(self, index, time):
        """A record's time: dates up to then have come. Whether one has."""
        number, clock = self.last()
        comes = any(n <= number and clock < since <= time for n, _, _, since in self.treaty.statuses)
        if comes:
            self.points.append((index, (number, time)))
        return comes

    def take(self, index, time, data):
        """An amendment record. Whether it changes what holds."""
        self.passes(index, time)
        (number, clock), chain = self.last(), self.treaty.chain
        if self.contested:
            return False
        try:
            note = Note(data)
            value = line(note.text, 40000, True)
            found = value["number"]
            if 1 <= found <= len(chain) and chain[found - 1][0] != sha(note.text.encode()):
                self.treaty.first(found - 1).amended(data)
                self.contested = True
                self.points.append((index, (min(number, found - 1), max(clock, time))))
                return True
            if found == len(chain) + 1:
                self.treaty = self.treaty.amended(data)
        except (Refused, KeyError, TypeError):
            return False
        if found != number + 1:
            return False
        self.points.append((index, (found, max(clock, time))))
        return True


# Section 7: records

HEADER = re.compile(r'\{"index":(\d+),"log":"([A-Za-z0-9./-]+)","prev":"([0-9a-f]{64})","time":"([^"]*)",'
                    r'"type":"(notification|credential|receipt|evidence|amendment)"\}\n', re.A)


class Record:
    def __init__(self, data):
        need(len(data) <= 65535, "a record is too long")
        try:
            text = data.decode()
        except UnicodeDecodeError:
            raise Refused("a record is not UTF-8")
        head = HEADER.match(text)
        need(head and is_time(head[4]) and len(text) > head.end() and text.endswith("\n"), "a record's first line or payload")
        self.index, self.log, self.prev = decimal(head[1], 2**64 - 1), head[2], bytes.fromhex(head[3])
        self.time, self.type, self.payload = head[4], head[5], text[head.end():].encode()
        self.leaf = sha(b"\0" + data)


# Section 8: notifications

def notification(note):
    value = line(note.text, 60000, True)
    fields(value, ("body", "from", "id", "issued", "kind", "ledger", "re", "to", "v"), ("attachments",))
    need(isinstance(value["body"], dict) and is_code(value["from"]) and is_time(value["issued"]), "body, from, issued")
    need(isinstance(value["id"], str) and re.fullmatch("[0-9a-f]{32}", value["id"]) and is_kind(value["kind"]), "id, kind")
    unhex(value["ledger"])
    need(value["v"] == 1 and value["v"] is not True, "v")
    to = array(value["to"], 1, 256)
    need(all(code == "*" or is_code(code) for code in to) and len(set(to)) == len(to), "to")
    natural = lambda n: type(n) is int and n >= 0
    for item in array(value["re"], 0, 256):
        fields(item, ("index", "leaf", "log"))
        unhex(item["leaf"])
        need(natural(item["index"]) and is_code(item["log"]), "re")
    for item in array(value.get("attachments", [None])[:], 1, 256) if "attachments" in value else []:
        fields(item, ("media", "name", "sha256", "size"))
        unhex(item["sha256"])
        name, media = item["name"], item["media"]
        need(isinstance(name, str) and 1 <= len(name.encode()) <= 255 and not re.search(r"[/\\]", name), "attachment")
        need(name not in (".", "..") and natural(item["size"]), "attachment")
        need(isinstance(media, str) and media.isascii() and len(media) <= 127 and media.count("/") == 1, "media")
        need(" " not in media, "media")
    return value


# Section 9: credentials

def credential(payload, code, treaty):
    """What a party's root says of the party's keys; refused if it is no credential of the party."""
    note, origin = Note(payload), treaty.origin(code)
    need(note.signed_by(treaty.by_code[code]["root"]), "the root did not sign")
    value = line(note.text, 16384, True)
    need(isinstance(value, dict), "an object")
    common = ("action", "issued", "key", "ledger", "party", "v")
    match value.get("action"):
        case "grant":
            fields(value, common + ("kinds", "title"), ("from", "until"))
        case "revoke":
            fields(value, common, ("reason",))
        case "rotate":
            fields(value, common + ("job", "old"), ("reason",))
        case _:
            raise Refused("an action that is not known")
    need(is_time(value["issued"]) and type(value["v"]) is int and value["v"] == 1, "issued, v")
    need(unhex(value["ledger"]) == treaty.hash and value["party"] == code, "another ledger or party")
    if value["action"] != "grant":
        need(len(note.lines) == 1, "another signature than the root's")
        reason = value.get("reason", "none")
        need(isinstance(reason, str) and 1 <= len(reason.encode()) <= 1000, "reason")
    if value["action"] == "rotate":
        need(value["job"] in ("log", "witness", "transport") and value["old"] in ("retired", "lost"), "job, old")
        if value["job"] == "transport":
            need(is_peer(value["key"]), "a peer id")
            return value
    key = value["key"] = Key(value["key"])
    if value["action"] == "rotate":
        names = {"log": (origin, 1), "witness": (origin + "/witness", 4)}
        need((key.name, key.kind) == names[value["job"]], "the new key")
        return value
    need(key.kind == 1 and key.name.startswith(origin + "/") and len(key.name) > len(origin) + 1, "an official's key")
    if value["action"] == "grant":
        need(all(kind == "*" or is_kind(kind) for kind in array(value["kinds"], 1, 256)), "kinds")
        need(isinstance(value["title"], str) and 1 <= len(value["title"].encode()) <= 200, "title")
        need(all(is_time(value[field]) for field in ("from", "until") if field in value), "from, until")
        need(value.get("from", "") <= value.get("until", "9"), "until comes before from")
    return value


class History:
    """The keys of one party, as far as its log is known: up to `known` records, in which `changes` are all."""

    def __init__(self, code, treaty, known=0):
        self.code, self.treaty, self.known = code, treaty, known
        self.changes, self.grants, self.revoked, self.carried, self.leaves = [], [], [], {}, []
        self.clock = ""

    def passes(self, time):
        """The log's clock, by which officials' keys come to their end: the latest time of its records so far."""
        self.clock = max(self.clock, time)

    def take(self, index, payload, leaf=None):
        """A credential record. Refused if it is none."""
        value = credential(payload, self.code, self.treaty)
        match value["action"]:
            case "grant":
                if self.is_free(value["key"]):
                    self.grants.append((index, value))
            case "revoke":
                self.revoked.append((index, value["key"].public))
            case "rotate":
                if self.is_new(value):
                    self.changes.append((index, value))
                    self.leaves.append(leaf)

    def is_free(self, key):
        """An official's key: one that was revoked never comes back, and a key has one job and one holder."""
        used = {party[job].public for party in self.treaty.parties for job in ("root", "log", "witness")}
        used |= {old["key"].public for _, old in self.changes if old["job"] != "transport"}
        used |= {grant["key"].public for _, grant in self.grants if grant["key"].name != key.name}
        return key.public not in used | {public for _, public in self.revoked}

    def is_new(self, value):
        key = value["key"]
        if value["job"] == "transport":
            used = {party["peer"] for party in self.treaty.parties}
            return key not in used | {old["key"] for _, old in self.changes if old["job"] == "transport"}
        used = {party[job].public for party in self.treaty.parties for job in ("root", "log", "witness")}
        used |= {old["key"].public for _, old in self.changes if old["job"] != "transport"}
        return key.public not in used | {grant["key"].public for _, grant in self.grants}

    def carry(self, text):
        """A rotation in a file that does not show its place. Refused if it says nothing new."""
        value = credential(text.encode(), self.code, self.treaty)
        need(value["action"] == "rotate" and self.is_new(value), "it puts no new key in force")
        job, key = value["job"], value["key"]
        need(job != "transport" and key.text not in self.carried and len(self.carried) < 64, "it puts no new key in force")
        self.carried[key.text] = (job, key, text)

    def later(self, job):
        return [key for of, key, _ in self.carried.values() if of == job]

    def in_force(self, job, index):
        """The key for a record at `index`; `None` for the last one."""
        keys = [value["key"] for at, value in self.changes if value["job"] == job and (index is None or at < index)]
        return keys[-1] if keys else self.treaty.by_code[self.code][job]

    def all_keys(self, job):
        placed = [value["key"] for _, value in self.changes if value["job"] == job]
        return [self.treaty.by_code[self.code][job]] + placed + self.later(job)

    def candidates(self, job, index, size):
        return [self.in_force(job, index)] if size <= self.known else [self.in_force(job, None)] + self.later(job)

    def leaving(self, size):
        """The old log key, which signs the head with which it goes."""
        for at, value in self.changes:
            if value["job"] == "log" and at + 1 == size and value["old"] == "retired":
                return self.in_force("log", at)
        return None

    def head(self, note, size):
        signed = [note.signed_by(key) for key in self.candidates("log", size, size) if note.by(key)]
        need(signed and all(signed), "a head that no key in force signed")
        old = self.leaving(size) if size <= self.known else None
        need(old is None or note.signed_by(old), "a changeover that the old key did not sign")

    def cosigned(self, note, index=None):
        """The time of the party's cosignature in the record at `index` of its log; without one, with any key."""
        keys = self.all_keys("witness") if index is None else self.candidates("witness", index, index + 1)
        return next((note.cosigned_by(key) for key in keys if note.by(key)), None)

    def is_late(self, keys, given=None):
        """Whether a head by one of these keys says nothing, as that key was replaced since: where no log shows it, or in a
        log that had receipted so many records before, the changeover among them."""
        changes = [at for at, value in self.changes if value["job"] == "log"]
        replaced = [next((at for at in changes if self.in_force("log", at).public == key.public), None) for key in keys]
        return any(at is not None and (given is None or given > at) for at in replaced)

    def standing(self, of, index, time):
        """How the key of a signature line stands for a record: a word, and its grant."""
        gone = lambda at, grant: any(at < end < index and public == grant["key"].public for end, public in self.revoked)
        mine = [(at, grant) for at, grant in self.grants if at < index and (grant["key"].name, grant["key"].id) == of]
        live = [grant for at, grant in mine if not gone(at, grant)]
        last = max(time, self.clock)
        valid = [grant for grant in live if grant.get("from", "") <= time and last <= grant.get("until", "9")]
        if valid:
            return "in force", valid[0]
        if live:
            return "outside", live[0]
        ended = [grant for at, grant in mine if gone(at, grant)]
        return ("revoked", ended[-1]) if ended else ("unknown", None)


class Keyring:
    """The keys of all parties."""

    def __init__(self, treaty, known=0):
        self.treaty, self.of = treaty, {code: History(code, treaty, known) for code in treaty.codes}

    def carry(self, notes, code=None):
        """Rotations that a file carries."""
        for text in notes:
            need(isinstance(text, str), "a note about a key")
            stated = json_line(Note(text.encode()).text).get("party") if code is None else code
            need(stated in self.of, "whose key")
            self.of[stated].carry(text)

    def needed(self, lines):
        """Those that put in force the keys of these signature lines, by party and by their bytes."""
        found = set()
        for at, code in enumerate(self.treaty.codes):
            for _, key, text in self.of[code].carried.values():
                if any((name, id) == (key.name, key.id) for name, id, _ in lines):
                    found.add((at, text.encode()))
        return [text.decode() for _, text in sorted(found)]


def json_line(text):
    value = line(text, 16384, True)
    need(isinstance(value, dict), "an object")
    return value


# Section 10: tree

def node(left, right):
    return sha(b"\1" + left + right)


def included(leaf, index, size, path, root):
    """RFC 9162, section 2.1.3.2."""
    need(index < size, "an index past the tree")
    fn, sn, r = index, size - 1, leaf
    for p in path:
        need(sn, "a path that is too long")
        if fn & 1 or fn == sn:
            r = node(p, r)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = node(r, p)
        fn, sn = fn >> 1, sn >> 1
    need(sn == 0 and r == root, "a path does not lead to the root")


def consistent(old, old_root, new, new_root, proof):
    """RFC 9162, section 2.1.4.2."""
    need(old <= new, "sizes")
    if old == 0 or old == new:
        need(not proof and old_root == (sha(b"") if old == 0 else new_root), "consistency")
        need(new or new_root == sha(b""), "consistency")
        return
    path = list(proof) if old & (old - 1) else [old_root, *proof]
    need(path, "consistency")
    fn, sn = old - 1, new - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for c in path[1:]:
        need(sn, "consistency")
        if fn & 1 or fn == sn:
            fr, sr = node(c, fr), node(c, sr)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node(sr, c)
        fn, sn = fn >> 1, sn >> 1
    need(sn == 0 and fr == old_root and sr == new_root, "consistency")


class Tree:
    """The right edge of a growing tree: roots of complete subtrees, from the left, each with its size."""

    def __init__(self):
        self.edge, self.size = [], 0

    def append(self, leaf, leaves=1):
        """A leaf, or the root of a complete subtree of so many."""
        need(self.size % leaves == 0, "a subtree that does not begin here")
        self.edge.append((leaf, leaves))
        self.size += leaves
        while len(self.edge) > 1 and self.edge[-1][1] == self.edge[-2][1]:
            (right, width), (left, _) = self.edge.pop(), self.edge.pop()
            self.edge.append((node(left, right), 2 * width))

    def root(self):
        if not self.edge:
            return sha(b"")
        root = self.edge[-1][0]
        for left, _ in reversed(self.edge[:-1]):
            root = node(left, root)
        return root


# Sections 11 to 13: checkpoints, receipts, fork proofs

def stated(note, treaty):
    """What a text says as a checkpoint: code of the party, size, root. Verifies nothing."""
    parts = note.text.split("\n")
    need(len(parts) == 4 and parts[3] == "", "a checkpoint has three lines")
    code = treaty.by_origin.get(parts[0])
    need(code is not None, "not a log of the treaty")
    return code, decimal(parts[1]), hash64(parts[2])


def head(note, keys):
    """A signed head: code of its party, size, root."""
    code, size, root = stated(note, keys.treaty)
    keys.of[code].head(note, size)
    return code, size, root


def receipt(payload, by, index, keys):
    note = Note(payload)
    code, size, root = head(note, keys)
    need(code != by, "a receipt for its own log")
    time = keys.of[by].cosigned(note, index)
    need(time is not None, "no receipt")
    return code, size, root, time


def fork(text, treaty, bare, signers=None):
    value = line(text, 65535, False)
    fields(value, ("kind", "larger", "proof", "root", "smaller", "v"), ("keys",))
    need(value["kind"] == "fork" and type(value["v"]) is int and value["v"] == 1, "a fork proof")
    need(isinstance(value["smaller"], str) and isinstance(value["larger"], str), "heads")
    notes = [Note(value[name].encode()) for name in ("smaller", "larger")]
    need(not bare or all(len(note.lines) == 1 for note in notes), "a line that nobody checks")
    (code, a, a_root), (other, b, b_root) = (stated(note, treaty) for note in notes)
    carried = array(value["keys"], 1, 2) if "keys" in value else []
    keys = Keyring(treaty)
    keys.carry(carried, code)
    used = []
    for note in notes:
        signed = [(key, note.signed_by(key)) for key in keys.of[code].all_keys("log") if note.by(key)]
        need(signed and signed[0][1], "a head that the log did not sign")
        if signers is not None:
            signers.append(signed[0][0])
        used += [text for _, key, text in keys.of[code].carried.values() if key is signed[0][0] and text not in used]
    need(used == carried, "keys that are not those of the heads")
    root = unhex(value["root"])
    consistent(a, root, b, b_root, [unhex(item) for item in array(value["proof"], 0, 64)])
    need(code == other and root != a_root, "no fork")
    return code, [(a, a_root), (b, b_root)]


# Section 9b: restart certificates

def restart(payload, code, treaty):
    """Both branches of a log, of which its party's root has accepted both."""
    note = Note(payload)
    need(note.signed_by(treaty.by_code[code]["root"]) and len(note.lines) == 1, "the root did not sign, or others did")
    value = line(note.text, 40000, False)
    names = ("action", "common", "fork", "issued", "kept_leaf", "ledger", "party", "v")
    fields(value, names, ("keep", "other_leaf", "reason"))
    need(value["action"] == "restart" and is_time(value["issued"]), "action, issued")
    need(type(value["v"]) is int and value["v"] == 1 and unhex(value["ledger"]) == treaty.hash, "v, ledger")
    reason = value.get("reason", "none")
    need(isinstance(reason, str) and 1 <= len(reason.encode()) <= 1000 and write(reason, True), "reason")
    need(isinstance(value["fork"], str) and type(value["common"]) is int, "fork, common")
    about, heads = fork(value["fork"], treaty, True)
    need(about == code == value["party"], "of another party")
    other_leaf = unhex(value["other_leaf"]) if "other_leaf" in value else None
    need(0 <= value["common"] < heads[0][0] and unhex(value["kept_leaf"]) != other_leaf, "where the branches part")
    need(value.get("keep", "smaller") == "smaller", "keep")
    need("keep" not in value or heads[0][0] < heads[1][0], "neither is the smaller one")
    kept, other = heads if "keep" in value else heads[::-1]
    return {"common": value["common"], "issued": value["issued"], "kept": kept, "other": other, "leaf": other_leaf,
            "kept_leaf": unhex(value["kept_leaf"])}


def lies(head, own, against, certificates):
    """Where a head of a restarted log lies: True on the log or on an accepted branch, False elsewhere, None if records
    would tell that are not there. Each certificate comes with its branch's roots, by size."""
    unknown, (size, root) = False, head
    for branch, roots in certificates:
        if size == branch["other"][0]:
            if root == branch["other"][1]:
                return True
        elif branch["common"] < size < branch["other"][0] and branch["leaf"]:
            if roots is not None and roots[size] == root:
                return True
            unknown |= roots is None and (against != branch["other"] or against == head)
        if size == branch["kept"][0] and own is None:
            own = branch["kept"][1]
    return True if own == root else None if own is None or unknown else False


def said_of(branch, where):
    return [branch["common"], branch["kept"][0], branch["other"][0], branch["issued"], where]


# Section 14: marks

def is_zoned(text):
    """RFC 9557, with the offset that the zone had at that moment."""
    match = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{0,8}[1-9])?([+-]\d\d:\d\d)\[([A-Za-z][\w+/-]*)\]", text, re.A)
    if not match or not is_time(match[1] + "Z"):
        return False
    try:
        moment = datetime.datetime.fromisoformat(match[1] + match[3])
        there = moment.astimezone(zoneinfo.ZoneInfo(match[4]))
    except (ValueError, OverflowError, zoneinfo.ZoneInfoNotFoundError):
        return False
    return there.isoformat() == match[1] + match[3] and "1970" <= moment.astimezone(datetime.UTC).isoformat() < "9999"


FITS = {
    "text": lambda v: isinstance(v, str) and v != "",
    "integer": lambda v: type(v) is int,
    "date": lambda v: isinstance(v, str) and is_time(v + "T00:00:00Z"),
    "time": is_time,
    "list": lambda v: isinstance(v, list) and all(isinstance(item, str) for item in v),
    "choice": lambda v: isinstance(v, str) and v != "",
    "party": lambda v: isinstance(v, str) and (is_code(v) or is_kind(v)),
    "zoned-time": lambda v: isinstance(v, str) and is_zoned(v),
    "group": lambda v: isinstance(v, dict),
}


def form(kind, body, profile):
    """How many things are wrong with a body: with its fields, or, if nothing is, that it does not fit the kind's schema."""
    faults = field_faults(kind.get("field", []), body, profile)
    return faults or int(not fits(kind.get("schema", True), body))


def field_faults(fields, body, profile):
    """How many fields of an object are missing, of another type, or not known."""
    def one(field, value):
        kind = field["type"]
        good = FITS[kind](value)
        if good and kind == "integer":
            good = field.get("min", value) <= value <= field.get("max", value)
        if good and kind == "choice":
            good = value in field["choices"]
        if good and kind == "list" and not field.get("repeatable"):
            good = len(value) <= field.get("at_most", len(value))
        if good and kind == "party":
            good = is_code(value) or value in profile.get("group", {})
        return field_faults(field.get("field", []), value, profile) if good and kind == "group" else int(not good)

    faults = sum(name not in {field["name"] for field in fields} for name in body)
    for field in fields:
        if field["name"] not in body:
            faults += bool(field.get("required"))
        elif not field.get("repeatable"):
            faults += one(field, body[field["name"]])
        else:
            values = body[field["name"]]
            good = isinstance(values, list) and len(values) <= field.get("at_most", len(values))
            faults += sum(one(field, value) for value in values) if good else 1
    return faults


# Section 6a: the keywords of JSON Schema that a profile may use. They are few enough to be written down here; a library
# would know many more, whose meaning the three verifiers would then have to share.

TYPES = {
    "object": lambda v: isinstance(v, dict), "array": lambda v: isinstance(v, list), "string": lambda v: isinstance(v, str),
    "integer": lambda v: type(v) is int, "number": lambda v: type(v) is int, "boolean": lambda v: isinstance(v, bool),
    "null": lambda v: False,
}


def pattern(text):
    """ECMA-262's, as Python writes it: `$` is the end, and `.` is any character, as there are no newlines."""
    return re.compile(re.sub(r"(\\.)|\$", lambda m: m[1] or r"\Z", text), re.A)


def fits(schema, value):
    """Whether a value fits a schema."""
    if isinstance(schema, bool):
        return schema
    plain = lambda v: write(v, False)
    number, text = type(value) is int, isinstance(value, str)
    items, table = isinstance(value, list), isinstance(value, dict)
    size = len(value) if text or items or table else 0

    def holds(word, told):
        match word:
            case "type":
                return any(TYPES[name](value) for name in ([told] if isinstance(told, str) else told))
            case "enum":
                return plain(value) in map(plain, told)
            case "const":
                return plain(value) == plain(told)
            case "minimum":
                return not number or value >= told
            case "maximum":
                return not number or value <= told
            case "exclusiveMinimum":
                return not number or value > told
            case "exclusiveMaximum":
                return not number or value < told
            case "minLength":
                return not text or size >= told
            case "maxLength":
                return not text or size <= told
            case "pattern":
                return not text or bool(pattern(told).search(value))
            case "items":
                return not items or all(fits(told, item) for item in value)
            case "minItems":
                return not items or size >= told
            case "maxItems":
                return not items or size <= told
            case "uniqueItems":
                return not items or not told or len(set(map(plain, value))) == size
            case "properties":
                return not table or all(fits(told[name], value[name]) for name in told if name in value)
            case "required":
                return not table or set(told) <= set(value)
            case "additionalProperties":
                return not table or all(fits(told, value[name]) for name in set(value) - set(schema.get("properties", {})))
            case "minProperties":
                return not table or size >= told
            case "maxProperties":
                return not table or size <= told
            case "dependentRequired":
                return not table or all(set(told[name]) <= set(value) for name in told if name in value)
            case "allOf":
                return all(fits(one, value) for one in told)
            case "anyOf":
                return any(fits(one, value) for one in told)
            case "oneOf":
                return sum(fits(one, value) for one in told) == 1
            case "not":
                return not fits(told, value)
            case "if":
                return fits(schema.get("then" if fits(told, value) else "else", True), value)
            case "then" | "else" | "title" | "description" | "$comment":
                return True
        raise Refused(f"the profile's schema has {word}")

    return all(holds(word, told) for word, told in schema.items())


def who(word, code, value, treaty, profile):
    """The parties that a word of the profile means."""
    word = word.removeprefix("any ")
    named = lambda name: profile.get("group", {}).get(name, {"members": [name]})["members"]
    match word.split(":"):
        case ["*"]:
            return set(treaty.by_code) - {code}
        case ["sender"]:
            return {code}
        case ["addressee"]:
            return {other for other in treaty.by_code if "*" in value["to"] or other in value["to"]} - {code}
        case ["state-party" | "depositary" | "observer"]:
            return {other for other, party in treaty.by_code.items() if word in party["roles"]}
        case ["group", name]:
            return set(named(name)) & set(treaty.by_code)
        case ["field", name]:
            said = value["body"].get(name)
            said = said if isinstance(said, list) else [said]
            return {code for name in said if isinstance(name, str) for code in named(name)} & set(treaty.by_code)
    return {word} & set(treaty.by_code)


def may_send(kind, value, code, treaty, profile):
    """Whether a note of the kind is for its sender to send."""
    mine = lambda word: code in who(word, code, value, treaty, profile)
    acts_for = value["body"].get(kind.get("behalf"))
    if isinstance(acts_for, str) and not mine("field:" + kind["behalf"]):
        return False
    bound = treaty.by_code[code]["roles"] != ["observer"]
    words = [word.removeprefix("any ") for word in kind.get("from", [])]
    return not words or any(bound if word == "*" else mine(word) for word in words)


def disorder(kind, value, code, signers, treaty, profile):
    """The marks for the sender, the addressees, the number of signatures, and what has to come before."""
    marks = []
    if not may_send(kind, value, code, treaty, profile):
        marks.append("wrong-sender")
    for word in kind.get("must_reach", []):
        wanted = who(word, code, value, treaty, profile) - {code}
        missing = set() if "*" in value["to"] else wanted - set(value["to"])
        if missing and (missing == wanted or not word.startswith("any ")):
            marks.append("not-reached")
    if 1 < kind.get("signatures", 1) and len(signers) < kind["signatures"]:
        marks.append("signatures")
    if len(value["re"]) < len(kind.get("after", [])):
        marks.append("no-predecessor")
    return marks


def judge(record, history, treaty, profile, place, ids=None):
    """The official signers and the marks of a notification record in a log, by the party's keys."""
    code, (number, clock) = history.code, place
    try:
        note = Note(record.payload)
        value = notification(note)
    except Refused:
        return [], ["malformed"], None
    marks, signers = [], []
    if unhex(value["ledger"]) != treaty.hash:
        marks.append("other-ledger")
    if ids is not None and ids.setdefault(value["id"], record.index) < record.index:
        marks.append("repeated")
    if value["from"] != code:
        marks.append("other-sender")
    then = treaty.at_time(max(record.time, clock), code)
    if then.by_code[code]["roles"] == ["observer"]:
        marks.append("observer")
    if treaty.former(code, len(treaty.chain), max(record.time, clock)):
        marks.append("former-party")
    # Of an amendment that is missing nothing is known.
    held = treaty.chain[:number]
    known = treaty.codes[:held[-1][2] if held else treaty.base()]
    marks += ["unknown-addressee" for to in value["to"] if to != "*" and to not in known]
    kind = profile["kind"].get(value["kind"])
    if kind is None:
        marks.append("unknown-kind")
    else:
        marks += ["form"] * form(kind, value["body"], profile)
    for name, id, _ in note.lines:
        standing, grant = history.standing((name, id), record.index, record.time)
        if grant is None:
            marks.append("unauthorised")
        elif not note.signed_by(grant["key"]):
            marks.append("bad-signature")
        elif standing != "in force" or not {"*", value["kind"]} & set(grant["kinds"]):
            marks.append("unauthorised")
        else:
            signers.append((name, grant["title"]))
    # Keys with one name are one official's.
    marks += disorder(kind, value, code, {name for name, _ in signers}, then, profile) if kind else []
    return [title for _, title in signers], marks, value


# Section 15a: the rule behind a proof of silence, counted from what the file holds. What is not counted here says so.

RANGE = "1 January 1970 to 30 December 9998"


class Elsewhere(Exception):
    pass


class Waits(Exception):
    """What has not happened; or, if `never`, why there will be no time."""

    def __init__(self, text, never=False):
        super().__init__(text)
        self.never = never


def utc(time):
    return time.replace("T", " ").replace("Z", " UTC")


def posix(time):
    return int(datetime.datetime.strptime(time, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=datetime.UTC).timestamp())


def of_posix(seconds):
    return time_of(seconds) if 0 <= seconds <= posix("9998-12-31T23:59:59Z") else None


def zone(name):
    try:
        return datetime.UTC if name in (None, "UTC") else zoneinfo.ZoneInfo(name)
    except (ValueError, zoneinfo.ZoneInfoNotFoundError):
        raise Elsewhere(f"this machine does not know the time zone {name}")


def count(text):
    match = re.fullmatch("(0|[1-9][0-9]{0,5}) (hour|day|week|month|year)s?", text)
    most = {"hour": 876600, "day": 36525, "week": 5218, "month": 1200, "year": 100}
    if not match or int(match[1]) > most[match[2]]:
        raise Elsewhere(f"`{text}` is not a length of time")
    return int(match[1]), match[2], f"{match[1]} {match[2]}{'' if match[1] == '1' else 's'}"


def on_day(day, there, clock=datetime.time()):
    """A clock time of a day: the first of two; where there is none, as much later as clocks were set forward."""
    local = datetime.datetime.combine(day, clock, tzinfo=there)
    return of_posix(int((local.replace(tzinfo=None) - local.utcoffset() - datetime.datetime(1970, 1, 1)).total_seconds()))


def moment(event, there):
    return event if isinstance(event, str) else on_day(event, there)


def event_of(value):
    """The time (a text) or the day that a field holds."""
    if is_time(value):
        return value
    if isinstance(value, str) and is_zoned(value):
        instant = datetime.datetime.fromisoformat(value.split("[")[0][:19] + re.search(r"([+-]\d\d:\d\d)\[", value)[1])
        return of_posix(int(instant.timestamp()))
    return datetime.date.fromisoformat(value) if FITS["date"](value) else None


def end_of(event, length, counting, ends, there, back):
    """Where a length of time ends: the moment, the last day, and whether its month was too short. None past all years."""
    n, unit, _ = length
    n = -n if back else n
    local = lambda time: datetime.datetime.fromtimestamp(posix(time), there)
    try:
        if unit == "hour":
            start = moment(event, there)
            at = of_posix(posix(start) + n * 3600) if start else None
            return (at, local(at).date(), False) if at else None
        first = local(event).date() if isinstance(event, str) else event
        clamped = False
        if unit in ("day", "week"):
            day = first + datetime.timedelta(days=n * (7 if unit == "week" else 1))
        else:
            months = first.year * 12 + first.month - 1 + n * (12 if unit == "year" else 1)
            year, month = months // 12, months % 12 + 1
            day = datetime.date(year, month, min(first.day, calendar.monthrange(year, month)[1]))
            clamped = day.day != first.day
        one = datetime.timedelta(days=1)
        if counting == "inclusive" and n:
            day = day + one if back else day - one
        clock = local(event).time() if isinstance(event, str) else datetime.time()
        at = on_day(*{"start-of-day": (day, there), "end-of-day": (day + one if ends == "end-of-day" else day, there),
                      "moment": (day, there, clock)}[ends])
        return (at, day, clamped) if at else None
    except (ValueError, OverflowError):
        return None


def for_people(seconds):
    days, hours, minutes = seconds // 86400, seconds % 86400 // 3600, seconds % 3600 // 60
    if days:
        return f"{days} {'day' if days == 1 else 'days'}" + (f" {hours} h" if hours else "")
    if hours:
        return f"{hours} h" + (f" {minutes} min" if minutes else "")
    return f"{minutes} min" if minutes else f"{seconds} s"


def counted(text, counting, name, end, hours):
    if hours:
        return f"Counted: {text}."
    counts = "counts" if counting == "inclusive" else "does not count"
    short = ", as the month has no such day as that of the start" if end[2] else ""
    return f"Counted: {text}, by the calendar in {name or 'UTC'}; the day of the start {counts}; the last day is {end[1]}{short}."


class Fact:
    def __init__(self, code, index, sent, value):
        self.code, self.index, self.sent, self.value = code, index, sent, value
        self.place, self.kind = f"{code}/{index}", value["kind"] if value else None
        self.re = [f"{re['log']}/{re['index']}" for re in value["re"]] if value else []


class Rules:
    """What a proof of silence shows of the rules by which a party owed an answer."""

    def __init__(self, note, notes, silence, receipts, treaty, profile):
        self.note, self.silence, self.treaty, self.profile = note, silence, treaty, profile
        # What a party logs once more says nothing new.
        first = {}
        for fact in notes:
            first.setdefault(fact.value["id"], fact)
        self.facts = ([note] if note.value else []) + list(first.values())
        self.party = silence["party"]
        self.receipts = {code: time for code, time in receipts.items() if code != self.party}
        if silence["received"]:
            self.receipts[self.party] = silence["received"]
        self.as_of = silence["as_of"]
        known = [*self.receipts.values(), *(fact.sent for fact in self.facts)] + ([self.as_of] if self.as_of else [])
        self.known = max(known, default=note.sent)

    def name(self, code):
        return self.treaty.by_code[code]["name"]

    def title(self, kind):
        return self.profile["kind"].get(kind, {}).get("title", kind)

    def sorted(self, codes):
        return [code for code in self.treaty.codes if code in codes]

    def result(self):
        items, told, elsewhere = [], [], False
        for due in self.profile["kind"].get(self.note.kind, {}).get("due", []):
            if due.get("itself") or self.silence["due"] not in (None, due["id"]):
                continue
            try:
                self.need_silence()
                for debtors, group in self.owing(due):
                    if self.party in debtors:
                        items.append(self.item(due, debtors, group))
                        told += self.tell(items[-1], due)
            except Elsewhere as why:
                elsewhere = True
                article = f", {due['article']}" if due.get("article") else ""
                told.append(f"The rule `{due['id']}`{article} (“{due['title']}”) is not recomputed here: {why}. "
                            "`verbale verify` computes it from the same file.")
        if not items and not elsewhere:
            rule = f"rule `{self.silence['due']}`" if self.silence["due"] else "rule"
            told.append(f"The profile has no {rule} by which {self.name(self.party)} owed an answer to this note.")
        gap = ("That nothing in other logs, or later, moved the deadline or ended what was due: it is counted from what "
               "this file holds.")
        return {"as_of": self.as_of, "items": items, "sentences": told, "not_proven": [gap] if items else []}

    def need_silence(self):
        """Refuses to count what other notes in the file, or amendments, decide."""
        effects = [effect for fact in self.facts for effect in self.profile["kind"].get(fact.kind, {}).get("effect", [])]
        if self.treaty.chain or any("standing" in effect or "meanwhile" in effect for effect in effects):
            raise Elsewhere("amendments or notes in this file say whom the treaty bound")
        if self.answers(self.note):
            raise Elsewhere("a note in this file refers to this one, and what that did has to be weighed")

    def owing(self, due):
        """Who owes it: parties, of whom one is enough, and the title of the group that they are."""
        lists = []
        for word in due.get("by", []):
            lists += [debtor for debtor in self.debtors(word) if debtor[0] not in [codes for codes, _ in lists]]
        return lists

    def debtors(self, address):
        word, sender, body = address.removeprefix("any "), self.note.code, self.note.value["body"]
        groups = self.profile.get("group", {})

        def group(name):
            known = groups.get(name)
            return self.sorted(known["members"] if known else [name]), known["title"] if known else None

        kind, (first, _, name) = self.profile["kind"][self.note.kind], word.partition(":")
        match first:
            case "group":
                found = [group(name)]
            case "field":
                said = body.get(name)
                found = [group(one) for one in (said if isinstance(said, list) else [said]) if isinstance(one, str)]
            case "sender":
                on = body.get(kind.get("behalf"))
                found = [group(on) if isinstance(on, str) and sender in group(on)[0] else ([sender], None)]
            case _:
                found = [([code], None) for code in self.sorted(who(word, sender, self.note.value, self.treaty, self.profile))]
        leaves_out = (word in ROLES or word == "addressee") and len(found) > 1 and word != "depositary"
        counts = lambda code: self.treaty.by_code[code]["roles"] != ["observer"] and not (leaves_out and code == sender)
        found = [(list(filter(counts, codes)), title) for codes, title in found]
        found = [(codes, title if len(codes) > 1 else None) for codes, title in found if codes]
        if not address.startswith("any ") or len(found) < 2:
            return found
        return [(self.sorted({code for codes, _ in found for code in codes}), None)]

    def has(self, fact, name, value):
        return name in fact.value["body"] and write(fact.value["body"][name], False) == write(value, False)

    def item(self, due, debtors, group):
        item = {"rule": due["id"], "owed_by": debtors, "state": "waiting", "from": None, "until": None, "act": None,
                "text": "", "steps": [], "readings": []}
        for name, value in sorted(due.get("when", {}).items()):
            if not self.has(self.note, name, value):
                return item | {"state": "not-applicable", "text": f"Not due: it applies where `{name}` is {write(value, False)}."}
        if group:
            item["steps"].append(f"{group} act as one: one of them is enough.")
        start, step, never = self.attempt(self.start, due["start"], debtors)
        item["steps"].append(step)
        if start:
            item["from"], item["until"], steps, never = self.bounds(start, due, {})
            item["steps"] += steps + ([never] if never else [])
        for reading in due.get("disputed", []):
            other = self.attempt(self.start, reading["start"], debtors)[0] if "start" in reading else start
            since, until, _, _ = self.bounds(other, due, reading) if other else (None, None, None, None)
            item["readings"].append({"title": reading["title"], "from": since, "until": until})
        if never and not due.get("promptly"):
            return item | {"state": "no-time", "done": False, "text": f"No time can be computed: {never}"}
        if not start and not never:
            return item
        run = item["until"] is not None and item["until"] < self.known
        item["state"] = "open" if not run else "deemed" if "deemed" in due else "missed"
        if item["state"] == "missed":
            item["by_s"] = posix(self.known) - posix(item["until"])
        return item

    def attempt(self, find, *args):
        """An event and the sentence for it; or none, what it waits for, and that sentence again if there will be no time."""
        try:
            return (*find(*args), None)
        except Waits as why:
            return None, str(why), str(why) if why.never else None

    def start(self, start, debtors):
        if isinstance(start, str):
            before = start.startswith("predecessor-")
            return self.point(self.before(None) if before else self.note, start.removeprefix("predecessor-"), debtors)
        if "nth" in start:
            raise Elsewhere(f"it is counted from the n-th note “{self.title(start['of'])}”")
        return self.point(self.before(start.get("of")), start["at"], debtors)

    def before(self, kind):
        known, seen, level, held = {fact.place: fact for fact in self.facts}, {self.note.place}, [self.note], True
        while level and len(seen) < 4096:
            following = []
            for place in [place for fact in level for place in fact.re]:
                if place in seen:
                    continue
                seen.add(place)
                if place not in known:
                    held = False
                elif kind in (None, known[place].kind):
                    return known[place]
                else:
                    following.append(known[place])
            level = following
        what = f"a note of the kind “{self.title(kind)}”" if kind else "an earlier note"
        raise Waits(f"{self.note.place} does not refer to {what}{'' if held else ' that is held'}.", held)

    def point(self, fact, point, by):
        addressees = self.sorted(who("addressee", fact.code, fact.value, self.treaty, self.profile))
        roles = lambda code: self.treaty.by_code[code]["roles"]
        depositary = lambda code: "depositary" in roles(code)
        reached = [code for code in addressees if roles(code) != ["observer"] or code in fact.value["to"]]
        receipt = lambda code: self.receipt(fact, code)
        match point:
            case "sent":
                return fact.sent, f"{self.name(fact.code)} sent {fact.place} at {utc(fact.sent)}."
            case "received" if by:
                return self.several(fact, by, False, receipt)
            case "received" | "received-by-each":
                return self.several(fact, reached, True, receipt)
            case "received-by-depositary" | "received-by-each-depositary":
                among = list(filter(depositary, addressees)) + ([fact.code] if depositary(fact.code) else [])
                if not among:
                    raise Waits(f"{fact.place} is addressed to no depositary.", True)
                return self.several(fact, among, point == "received-by-each-depositary", receipt)
            case "informed-by-depositary":
                return self.several(fact, by or reached, not by, lambda code: self.informed(fact, code))
        name = point.removeprefix("field:")
        said = fact.value["body"].get(name)
        event = event_of(said)
        if event is None:
            raise Waits(f"{fact.place} names no date or time in its field `{name}`.", True)
        fields = self.profile["kind"].get(fact.kind, {}).get("field", [])
        title = next((field["title"] for field in fields if field["name"] == name), name)
        return event, f"{fact.place} says: {title}: {said}."

    def several(self, fact, codes, each, find):
        """The first of several events, or the last once all are there."""
        best, missing = None, None
        for code in codes:
            event, text, never = self.attempt(find, code)
            if event is None:
                missing = missing or Waits(text, never is not None)
                continue
            old, now = best and moment(best[0], datetime.UTC), moment(event, datetime.UTC)
            if best is None or (now > old if each else now < old):
                best = event, text
        if missing and (each or best is None):
            raise missing
        if best is None:
            raise Waits(f"{fact.place} is addressed to nobody whom the treaty bound then.", True)
        return best

    def receipt(self, fact, by):
        place, name = fact.place, self.name(by)
        if by == fact.code:
            return fact.sent, f"{place} is {name}'s own; it counts from its sending at {utc(fact.sent)}."
        seen = self.receipts.get(by) if fact is self.note else None
        rule, deemed = self.profile["kind"].get(fact.kind, {}).get("deemed_received"), None
        if rule:
            end = end_of(fact.sent, count(rule), "exclusive", "moment", zone(self.profile.get("zone")), False)
            deemed = end[0] if end and end[0] <= self.known else None
        if seen and (deemed is None or seen <= deemed):
            return seen, f"{name} received {place} at {utc(seen)}."
        if deemed:
            return deemed, f"{place} is deemed received by {name} {count(rule)[2]} after its sending, at {utc(deemed)}."
        raise Waits(f"{name} has not receipted {place}.")

    def informed(self, fact, party):
        first = None
        for circular in self.answers(fact):
            informs = self.profile["kind"].get(circular.kind, {}).get("informs")
            told = party == circular.code or party in who("addressee", circular.code, circular.value, self.treaty, self.profile)
            if informs and told and "depositary" in self.treaty.by_code[circular.code]["roles"]:
                event, text, _ = self.attempt(self.receipt, circular, party)
                if event and (first is None or event < first[0]):
                    first = event, text
        if first is None:
            raise Waits(f"No depositary's note about {fact.place} has reached {self.name(party)}.")
        return first

    def bounds(self, start, due, reading):
        name = reading.get("zone", due.get("zone", self.profile.get("zone")))
        there, counting = zone(name), reading.get("counting", due.get("counting", "exclusive"))
        ends = reading.get("ends", due.get("ends", "end-of-day"))
        window = due.get("window", [due.get("not_before"), due.get("within")])
        since, until, steps, never = None, None, [], None
        beyond = lambda text: f"Counted: {text}: it lies outside of the years in which times are computed: {RANGE}."
        # The day itself, from its first moment to its last.
        day = "0 days" if due.get("simultaneous") else None
        if first := window[0] or day:
            length = count(first)
            end = end_of(start, length, counting, "moment" if ends == "moment" and not day else "start-of-day", there, False)
            since = end and end[0]
            never = never if end else beyond(f"not before {length[2]} after")
            if end and not day:
                steps.append(counted(f"not before {length[2]} after", counting, name, end, length[1] == "hour"))
        back = "before" in due
        last = reading.get("length", due["before"] if back else window[1]) if back or window[1] else day
        if last:
            length, ends = count(last), "end-of-day" if day else ends
            end = end_of(start, length, counting, ends, there, back)
            text = "on the same day" if day else f"not later than {length[2]} {'before' if back else 'after'}"
            if end:
                # The last second of the day is in time.
                until = of_posix(max(posix(end[0]) - (ends == "end-of-day" and length[1] != "hour"), 0))
                steps.append(counted(text, counting, name, end, length[1] == "hour"))
            never = never if end else beyond(text)
        return since, until, steps, never

    def order(self, fact):
        return self.treaty.codes.index(fact.code), fact.index

    def answers(self, fact):
        return sorted((other for other in self.facts if fact.place in other.re), key=self.order)

    def tell(self, item, due):
        party, until, out = self.name(self.party), item["until"], []
        article = f", {due['article']}" if due.get("article") else ""
        if item["state"] == "not-applicable" and not item["steps"]:
            return [f"The rule `{due['id']}`{article} (“{due['title']}”) asks nothing of {party} here. {item['text']}"]
        out.append(f"By the treaty's profile {party} owed: {due['title']} (rule `{due['id']}`{article}).")
        if len(item["owed_by"]) > 1:
            names = " or ".join(map(self.name, item["owed_by"]))
            out.append(f"It was enough if one of these did it: {names}. This file shows the log of {party} alone.")
        out += item["steps"]
        if item["from"]:
            out.append(f"Not before {utc(item['from'])}, as computed.")
        run = until is not None and self.as_of is not None and until < self.as_of
        if until is None and item["state"] == "waiting":
            out.append("By what this file holds, its time had not begun: what starts it is not here.")
        elif until is None and item["state"] == "no-time":
            out.append(item["text"])
        elif until is None:
            limited = any(due.get(key) for key in ("before", "within", "window", "simultaneous"))
            out.append("No deadline follows from what this file holds." if limited else "The rule sets no last time.")
        elif self.as_of is None:
            out.append(f"Deadline: {utc(until)}, as computed. No quorum says when the log was seen.")
        else:
            apart = for_people(abs(posix(self.as_of) - posix(until)))
            still = f"{apart} after it: no answer was in it." if run else f"{apart} before it: the time had not run."
            out.append(f"Deadline: {utc(until)}, as computed. This file shows the log as of {utc(self.as_of)}, {still}")
        if item["state"] == "deemed" and run:
            out.append(f"By the profile, silence until then is deemed {due['deemed']}.")
        if run and due.get("then"):
            out.append(f"When the time has run, by the profile: {due['then']}")
        for other in item["readings"]:
            if other["until"] not in (None, until):
                out.append(f"Another reading, {other['title']}: {utc(other['until'])}.")
        if "unconfirmed" in due:
            out.append(f"Not checked against the treaty's text: {due['unconfirmed']}")
        return out


# Section 15: evidence

def evidence(data, treaty, profile):
    need(len(data) <= 22500692, "too long")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise Refused("not UTF-8")
    top, checkpoint = text.split("\n\n", 1) if "\n\n" in text else ("", "")
    first, *rest = top.split("\n")
    need(first == "c2sp.org/tlog-proof@v1" and len(rest) >= 2, "not a tlog-proof")
    need(rest[0].startswith("extra ") and rest[1].startswith("index "), "extra and index")
    extra, index, path = b64(rest[0][6:]), decimal(rest[1][6:]), [hash64(item) for item in rest[2:]]
    need(len(path) <= 63, "the path is too long")
    try:
        bundle = canonical(extra.decode(), 16 << 20, False)
    except UnicodeDecodeError:
        raise Refused("the bundle is not UTF-8")
    fields(bundle, ("anchors", "credentials", "heads", "record", "treaty", "v"), ("amendments", "fork", "keys", "outside", "restarts", "silence"))
    need(type(bundle["v"]) is int and bundle["v"] == 1 and unhex(bundle["treaty"]) == treaty.hash, "another treaty")

    # What the amendments say, before anything is checked with the keys of those who acceded.
    part = fields(bundle.get("amendments", {}), (), ("clock", "known", "logged"))
    need("amendments" not in bundle or part, "an empty part")
    own, adoption = Record(str(bundle["record"]).encode()), Adoption(treaty)
    logged = array(part["logged"], 1, 512) if "logged" in part else []
    known = array(part["known"], 1, 256) if "known" in part else []
    steps = [(own.index, own.time, None, False)]
    for value in logged + ([part["clock"]] if "clock" in part else []):
        it = Record(str(fields(value, ("path", "record"))["record"]).encode())
        steps.append((it.index, it.time, it.payload if value in logged else None, True))
    for at, time, payload, counts in sorted(steps, key=lambda step: step[0]):
        changes = adoption.take(at, time, payload) if payload is not None else adoption.passes(at, time)
        need(changes or not counts, "an amendment, or a clock, that nothing needs")
    treaty = adoption.treaty
    for note in known:
        need(isinstance(note, str), "an amendment")
        treaty = treaty.amended(note.encode())
    received, given, keys = {}, [], Keyring(treaty)
    carried = array(bundle["keys"], 1, 1024) if "keys" in bundle else []
    keys.carry(carried)
    # Every signature line of a head or a receipt in the file, for which a later key may be needed.
    signatures = []

    def receipts(note, received=received):
        code, size, root = head(note, keys)
        signatures.extend(note.lines)
        lines = iter(note.lines)
        need(next(lines)[:2] in {(key.name, key.id) for key in keys.of[code].all_keys("log")}, "the first line")
        at = -1
        for name, id, _ in lines:
            match = [n for n, other in enumerate(treaty.codes) for key in keys.of[other].all_keys("witness")
                     if (key.name, key.id) == (name, id)]
            need(match and match[0] > at and treaty.codes[match[0]] != code, "an unknown or misplaced line")
            at = match[0]
            time = keys.of[treaty.codes[at]].cosigned(note)
            found = (time, at, size)
            given.append(found)
            received[treaty.codes[at]] = min(received.get(treaty.codes[at], found), found)
        return code, size, root, len(note.lines) > 1

    def item(value, code, size, root, kind):
        fields(value, ("path", "record"))
        need(isinstance(value["record"], str), "a record")
        record = Record(value["record"].encode())
        need(record.log == treaty.origin(code) and kind in (None, record.type), "a record of another log or type")
        included(record.leaf, record.index, size, [unhex(h) for h in array(value["path"], 0, 63)], root)
        return record

    code, size, root, _ = receipts(Note(checkpoint.encode()))
    hexes = {"record": bundle["record"], "path": [h.hex() for h in path]}
    record = item(hexes, code, size, root, "notification")
    need(record.index == index, "another index")
    last = 0
    for value in array(bundle["heads"], 0, 256):
        fields(value, ("checkpoint", "path"))
        need(isinstance(value["checkpoint"], str), "a head")
        other, at, at_root, some = receipts(Note(value["checkpoint"].encode()))
        need(other == code and at > last and at != size and some, "a head that does not belong here")
        included(record.leaf, index, at, [unhex(h) for h in array(value["path"], 0, 63)], at_root)
        last = at
    last = -1
    for value in logged:
        it = item(value, code, size, root, "amendment")
        need(it.index > last, "amendments go by index")
        last = it.index
    if "clock" in part:
        item(part["clock"], code, size, root, None)
    of_this_log = list(given)
    officials, last, restarts = History(code, treaty), -1, []
    for value in array(bundle["credentials"], 0, 256):
        it = item(value, code, size, root, "credential")
        need(last < it.index < index, "a credential that does not belong here")
        last = it.index
        officials.passes(it.time)
        try:
            officials.take(it.index, it.payload)
        except Refused:
            pass
        try:
            branch = restart(it.payload, code, treaty)
            if branch["kept"][0] == it.index:
                restarts.append(said_of(branch, "kept"))
        except Refused:
            pass
    last = -1
    for value in array(bundle["restarts"], 1, 16) if "restarts" in bundle else []:
        fields(value, ("certificate", "path"))
        need(isinstance(value["certificate"], str), "a certificate")
        branch = restart(value["certificate"].encode(), code, treaty)
        hashes = [unhex(h) for h in array(value["path"], 0, 63)]
        need(branch["kept"][0] > last, "certificates out of order")
        last = branch["kept"][0]
        try:
            included(record.leaf, index, branch["kept"][0], hashes, branch["kept"][1])
            restarts.append(said_of(branch, "common" if index < branch["common"] else "kept"))
        except Refused:
            included(record.leaf, index, branch["other"][0], hashes, branch["other"][1])
            need(index >= branch["common"], "a note on both branches, by the other one's path")
            restarts.append(said_of(branch, "other"))
    not_before, last = [], -1
    for value in array(bundle["anchors"], 0, 16):
        fields(value, ("receipt", "record"))
        mine = item(value["receipt"], code, size, root, "receipt")
        q, q_size, q_root, _ = receipt(mine.payload, code, mine.index, keys)
        signatures.extend(Note(mine.payload).lines)
        need(mine.index < index and treaty.codes.index(q) > last, "an anchor that does not belong here")
        officials.passes(mine.time)
        last = treaty.codes.index(q)
        not_before.append([item(value["record"], q, q_size, q_root, None).time, q])
    forked = None
    if "fork" in bundle:
        need(isinstance(bundle["fork"], str), "fork")
        about, heads = fork(bundle["fork"], treaty, True)
        need(about == code, "a fork of another log")
        forked = [size for size, _ in heads]
    silent = None
    if "silence" in bundle:
        part = fields(bundle["silence"], ("head", "party", "records", "roots"), ("due", "since"))
        party, seen = part["party"], {}
        need(party in treaty.by_code and party != code and isinstance(part["head"], str), "whose silence")
        need("due" not in part or is_kind(part["due"]), "a rule's id")
        start, since_root = 0, sha(b"")
        if "since" in part:
            mine = item(part["since"], code, size, root, "receipt")
            q, start, since_root, _ = receipt(mine.payload, code, mine.index, keys)
            signatures.extend(Note(mine.payload).lines)
            need(q == party and mine.index < index, "a receipt that does not belong here")
        tree = Tree()
        roots = [unhex(h) for h in array(part["roots"], 0, 64)]
        widths = [1 << bit for bit in reversed(range(64)) if start >> bit & 1]
        need(len(roots) == len(widths), "so many subtrees")
        tree.edge, tree.size = list(zip(roots, widths)), start
        need("since" not in part or tree.root() == since_root, "the root of the head that was receipted")
        q, until, until_root, _ = receipts(Note(part["head"].encode()), seen)
        need(q == party, "a head of another log")
        answers, notes, first = [], [], [received[party][0]] if party in received else []
        logged = None
        for text in array(part["records"], 0, 16384):
            need(isinstance(text, str), "a record")
            other = Record(text.encode())
            need(other.index == tree.size and other.log == treaty.origin(party), "not the log's next record")
            tree.append(other.leaf)
            if other.type == "notification":
                try:
                    answer = notification(Note(other.payload))
                    notes.append(Fact(party, other.index, other.time, answer))
                    if any(unhex(ref["leaf"]) == record.leaf for ref in answer["re"]):
                        answers.append([other.index, answer["kind"], other.time])
                except Refused:
                    pass
            elif other.type == "receipt":
                try:
                    note = Note(other.payload)
                    if note.text.split("\n")[0] == treaty.origin(code):
                        signatures.extend(note.lines)
                    about, covered, _, time = receipt(other.payload, party, other.index, keys)
                    logged = time if logged is None and about == code and covered > index else logged
                except Refused:
                    pass
        need(tree.size == until and tree.root() == until_root, "the records do not lead to the head")
        late, as_of = sorted(seen.values(), key=lambda s: (s[0], -s[1]), reverse=True), None
        for count in range(1, len(late) + 1):
            if as_of is None and treaty.satisfied({treaty.codes[at] for _, at, _ in late[:count]} - {code}, adoption.last()):
                as_of = late[count - 1][0]
        silent = {
            "party": party, "due": part.get("due"), "from": start, "to": until, "as_of": as_of, "answers": answers,
            "seen_by": [[treaty.codes[at], time, covered] for time, at, covered in late],
            "received": min(first + ([logged] if logged else []), default=None),
        }
    outside, last = [], 0
    for value in array(bundle["outside"], 1, 16) if "outside" in bundle else []:
        fields(value, ("checkpoint", "keys", "path"))
        need(isinstance(value["checkpoint"], str), "a head")
        note, seen = Note(value["checkpoint"].encode()), set()
        other, at, at_root = head(note, keys)
        signatures.extend(note.lines)
        need(other == code and at > last, "a head that does not belong here")
        included(record.leaf, index, at, [unhex(h) for h in array(value["path"], 0, 63)], at_root)
        others = [Key(text) for text in array(value["keys"], 1, 16)]
        signer = [key for key in keys.of[code].all_keys("log") if note.by(key)]
        parties = {p[job].public for p in treaty.parties for job in ("root", "log", "witness")}
        need([line[:2] for line in note.lines] == [(key.name, key.id) for key in signer + others], "the lines and the keys")
        for key in others:
            need(key.kind == 4 and len(key.text.encode()) <= 300, "a witness's key")
            need(key.public not in parties | seen, "a key that is a party's, or stands twice")
            need(not any((key.name + "/").startswith(treaty.origin(c) + "/") for c in treaty.codes), "a key named like a party's")
            seen.add(key.public)
            outside.append([key.name, note.cosigned_by(key), at])
        last = at
    if known:
        acceded = set(treaty.codes[treaty.chain[-2][2] if len(treaty.chain) > 1 else treaty.base():])
        parts = {code} | set(received) | {q for _, q in not_before}
        parts |= {silent["party"]} | {by for by, _, _ in silent["seen_by"]} if silent else set()
        said = any(n == len(treaty.chain) and party == code for n, party, _, _ in treaty.statuses)
        need(said or acceded & parts, "an amendment that nothing needs")
    need(keys.needed(signatures) == carried, "other keys than those that the file needs")
    # Of others' clocks no single one decides.
    officials.passes(*sorted((time for time, _ in not_before), reverse=True)[1:2] or [""])
    signers, marks, value = judge(record, officials, treaty, profile, adoption.at(index))
    late = max((time for time, _ in not_before), default="")
    if "former-party" not in marks and treaty.former(code, len(treaty.chain), late):
        marks.append("former-party")
    times = sorted(received.values())
    rules = {}
    if silent:
        own = Fact(code, index, record.time, value)
        rules = {"rules": Rules(own, notes, silent, {treaty.codes[at]: time for time, at, _ in times}, treaty, profile).result()}
    # A head is judged where it ends, by the receipts on it and on larger ones.
    final = treaty.satisfied(set(), adoption.last()) or any(
        treaty.satisfied({treaty.codes[by] for _, by, of in of_this_log if of >= at}, adoption.at(at - 1))
        for _, _, at in of_this_log)
    return {
        **({"outside": outside} if outside else {}),
        **({"restarts": restarts} if restarts else {}),
        **rules,
        "verified": True, "silence": silent, "party": code, "index": index, "leaf": record.leaf.hex(), "logged": record.time,
        "kind": value["kind"] if value else "", "signers": signers, "marks": marks, "fork": forked,
        "receipts": [[treaty.codes[at], time, size] for time, at, size in times],
        "not_before": sorted(not_before, key=lambda bound: bound[0], reverse=True),
        "not_after": times[0][0] if times else None, "final": final,
    }


# Section 16: export folder

def frames(path, word):
    with open(path, "rb") as file:
        while top := file.readline(256):
            match = re.fullmatch(rb"%s (\d+) bytes (\d+)\n" % word, top)
            need(match, f"{path}: a frame")
            length = decimal(match[2].decode(), 65535)
            data = file.read(length + 1)
            need(len(data) == length + 1 and data.endswith(b"\n"), f"{path}: a frame's bytes")
            yield decimal(match[1].decode(), 2**64 - 1), data[:-1]


def items(path, part):
    """What stands in records.txt: records, and in a part what stands for those that are not shown."""
    with open(path, "rb") as file:
        while top := file.readline(256):
            match top[:-1].split(b" "):
                case [b"record", number, b"bytes", length] if top.endswith(b"\n"):
                    length = decimal(length.decode(), 65535)
                    data = file.read(length + 1)
                    need(len(data) == length + 1 and data.endswith(b"\n"), f"{path}: a frame's bytes")
                    yield decimal(number.decode(), 2**64 - 1), data[:-1], None
                case [b"redacted", number, b"leaf", leaf] if part and part["redact"]:
                    yield decimal(number.decode(), 2**64 - 1), b"redacted", [(1, hash64(leaf.decode()))]
                case [b"omitted", number, b"count", count] if part:
                    at, left, roots = decimal(number.decode()), decimal(count.decode()), []
                    need(left > 0, "nothing left out")
                    start = at
                    while left:
                        width = min(at & -at or left, 1 << left.bit_length() - 1)
                        width = 1 << width.bit_length() - 1
                        roots.append((width, hash64(file.readline(256).decode().removesuffix("\n"))))
                        at, left = at + width, left - width
                    yield start, None, roots
                case _:
                    raise Refused(f"{path}: a frame")


def selection(data, treaty, profile):
    """What a part was asked for."""
    need(len(data) <= 65536, "part.json is too long")
    lists = ("kinds", "parties", "ranges", "redact", "threads")
    part = fields(line(data.decode(), 65536, True), lists + ("v",), ("since", "until"))
    need(part["v"] == 1 and type(part["v"]) is int, "part.json")
    need(all(is_time(part[name]) for name in ("since", "until") if name in part), "since, until")

    def place(text, form=r"([A-Z][A-Z0-9]{1,7})/(\d+)"):
        match = re.fullmatch(form, text, re.A)
        need(match and match[1] in treaty.by_code, "a place")
        return (match[1], *(decimal(number, 2**53 - 1) for number in match.groups()[1:]))

    def stretch(text):
        found = place(text, r"([A-Z][A-Z0-9]{1,7})/(\d+)\.\.(\d+)")
        need(found[1] <= found[2], "a range")
        return found

    def withheld(text):
        match text.split(":", 1):
            case ["confidential"]:
                return (0,)
            case ["kind", kind]:
                need(kind in profile["kind"], "a kind")
                return (1, kind.encode())
            case ["field", field]:
                need(1 <= len(field.encode()) <= 200, "a field")
                return (2, field.encode())
        return (3, *place(text))

    def known(among):
        return lambda name: (need(name in among, "a name that is not known"), name)[1]

    orders = (known(profile["kind"]), known(treaty.by_code), stretch, withheld, place)
    for name, order in zip(lists, orders):
        need(all(isinstance(item, str) for item in array(part[name], 0, 1024)), name)
        found = [order(item) for item in part[name]]
        need(all(a < b for a, b in zip(found, found[1:])), f"{name} out of order")
        part[name] = found
    need(any(part[name] for name in (*lists, "since", "until") if name in part), "a part that asks for everything")
    return part


def folder(path, treaty, profile):
    inside = lambda *parts: os.path.join(path, *parts)
    read = lambda *parts: open(inside(*parts), "rb").read()
    found = {os.path.relpath(os.path.join(at, name), path) for at, folders, names in os.walk(path) for name in names}
    logs = {f"logs/{code}/{name}.txt" for code in treaty.codes for name in ("records", "checkpoints", "receipts")}
    due = {"README.txt", "treaty.toml", "profile.toml", "policy.txt"} | logs
    forks = {f"forks/{code}.txt" for code in treaty.codes}
    while f"amendments/{len(treaty.chain) + 1:03}.note" in found:
        name = f"{len(treaty.chain) + 1:03}.note"
        treaty = treaty.amended(read("amendments", name))
        due.add("amendments/" + name)
    logs = {f"logs/{code}/{name}.txt" for code in treaty.codes for name in ("records", "checkpoints", "receipts")}
    due, forks = due | logs, {f"forks/{code}.txt" for code in treaty.codes}
    part = None
    if "part.json" in found:
        due.add("part.json")
        part = selection(read("part.json"), treaty, profile)
    lists = {f"logs/{code}/keys.txt" for code in treaty.codes}
    left = {f"branches/{code}-{number}.txt" for code in treaty.codes for number in range(1, 17)}
    need(due <= found <= due | forks | lists | left, "files that are missing or do not belong there")
    need(sha(read("treaty.toml")) == treaty.hash, "another treaty file")
    need(sha(read("profile.toml")) == treaty.profile_hash, "another profile")
    need(read("policy.txt").decode() == treaty.policy, "another policy")
    # What seems to show that a log forked, by its heads; and the certificates that may explain it.
    suspicions, restarts, shown_forks = [], [], []
    for code in treaty.codes:
        if f"forks/{code}.txt" in found:
            signers = []
            about, heads = fork(read("forks", code + ".txt").decode(), treaty, True, signers)
            need(about == code, "a fork proof in the wrong file")
            shown_forks.append((code, heads, signers))
    # Which keys are in force where, by the lists; each log is held against its own.
    keys = Keyring(treaty, 2**64)
    for code in treaty.codes:
        before = -1
        for number, data in frames(inside("logs", code, "keys.txt"), b"record") if f"logs/{code}/keys.txt" in found else ():
            record = Record(data)
            need(record.type == "credential" and record.log == treaty.origin(code), f"the keys of {code}")
            need(before < number == record.index, f"the keys of {code}")
            before, count = number, len(keys.of[code].changes)
            keys.of[code].take(number, record.payload, record.leaf)
            need(len(keys.of[code].changes) == count + 1, f"the keys of {code}: a record that changes none")
    suspicions += [(code, heads) for code, heads, signers in shown_forks if not keys.of[code].is_late(signers)]
    due, roots, out, adoptions = {code: [] for code in treaty.codes}, {}, [], {}
    shown = set()
    # Which record stands where, where its log parted, and what notes refer to: a note may refer to a log that comes later.
    leaves, parted, referring = {}, {}, []
    for code in treaty.codes:
        tree, last, history, marked, ids = Tree(), treaty.hash, History(code, treaty), 0, {}
        adoption, given = Adoption(treaty), {}
        roots[code] = [tree.root()]
        for number, data, hashes in items(inside("logs", code, "records.txt"), part):
            if hashes is not None:
                need(number == tree.size, f"what stands for record {tree.size} of {code}")
                for width, root in hashes:
                    tree.append(root, width)
                    roots[code] += [None] * (width - 1) + [tree.root()]
                last = hashes[0][1] if data == b"redacted" else None
                leaves |= {(code, number): last} if last else {}
                shown |= {(code, number)} if data == b"redacted" else set()
                continue
            record = Record(data)
            need((number, record.index, record.log) == (tree.size, tree.size, treaty.origin(code))
                 and last in (None, record.prev), f"record {tree.size} of {code} does not belong there")
            last = leaves[code, number] = record.leaf
            shown |= {(code, number)} if part and part["ranges"] else set()
            tree.append(last)
            adoption.passes(number, record.time)
            history.passes(record.time)
            roots[code].append(tree.root())
            try:
                if record.type == "notification":
                    _, marks, value = judge(record, history, treaty, profile, adoption.last(), ids)
                    marked += bool(marks)
                    referring += [(len(out), value["re"])] if value and not marks else []
                elif record.type == "amendment":
                    adoption.take(number, record.time, record.payload)
                elif record.type == "credential" and record.payload.startswith(b'{"action":"restart"'):
                    branch = restart(record.payload, code, treaty)
                    parts = leaves.get((code, branch["common"]), branch["kept_leaf"]) == branch["kept_leaf"]
                    if branch["kept"] == (number, roots[code][number]) and parts:
                        restarts.append((code, branch))
                        parted[code] = min(branch["common"], parted.get(code, 2**64))
                elif record.type == "credential":
                    history.take(number, record.payload, record.leaf)
                elif record.type == "receipt":
                    log, size, root, time = receipt(record.payload, code, number, keys)
                    due[log].append((size, treaty.codes.index(code), number, root, time))
                    given[log] = max(size, given.get(log, 0))
                else:
                    signers = []
                    about, heads = fork(record.payload.decode(), treaty, False, signers)
                    if not keys.of[about].is_late(signers, given.get(about, 0)):
                        suspicions.append((about, heads))
            except Refused:
                pass
        last = -1
        for size, data in frames(inside("logs", code, "checkpoints.txt"), b"checkpoint"):
            note = Note(data)
            old = [keys.of[code].leaving(size)] if keys.of[code].leaving(size) else []
            signers = [(key.name, key.id) for key in old + [keys.of[code].in_force("log", size)]]
            need(last < size <= tree.size, f"a checkpoint of {code} in the wrong place")
            need([line[:2] for line in note.lines] == signers, f"checkpoint {size} of {code} with other signatures")
            need(head(note, keys) == (code, size, roots[code][size]), f"checkpoint {size} of {code}")
            last = size
        need(last == tree.size or (tree.size == 0 and last < 1), f"records of {code} without a checkpoint")
        need(history.leaves == keys.of[code].leaves, f"the list of changes of the keys of {code}")
        out.append({"party": code, "records": tree.size, "marked": marked})
        need(len(adoption.treaty.chain) == len(treaty.chain), "an amendment that the folder lacks")
        adoptions[code] = adoption
    for code, first, last in part["ranges"] if part else []:
        need(all((code, at) in shown for at in range(first, last + 1)), f"some of the records {code}/{first}..{last}")
    known = lambda re: leaves.get((re["log"], re["index"])) if re["index"] < parted.get(re["log"], 2**64) else None
    for log, references in referring:
        out[log]["marked"] += any(known(re) not in (None, unhex(re["leaf"])) for re in references)
    certificates = {}
    for code in treaty.codes:
        named = [branch for of, branch in restarts if of == code][:16]
        there = [f"branches/{code}-{number}.txt" in found for number in range(1, 17)]
        need(not any(there[len(named):]), f"a branch of {code} that no certificate names")
        certificates[code] = [
            (branch, branch_roots(inside("branches", f"{code}-{number}.txt"), branch, code, treaty) if there[number - 1] else None)
            for number, branch in enumerate(named, 1)]
    missing = []
    for code, log in zip(treaty.codes, out):
        lines, sizes = "", {}
        for size, by, index, root, time in sorted(due[code]):
            text = base64.b64encode(root).decode()
            lines += f"size {size} root {text} by {treaty.codes[by]} record {index} time {time}\n"
            if size > log["records"]:
                if not certificates[code] or not lies((size, root), None, None, certificates[code]):
                    missing.append(code)
            elif roots[code][size] is None:
                raise Refused(f"a receipt for {size} records of {code}, within what was left out")
            elif root != roots[code][size]:
                before = max((s for s, who, at, _, _ in due[code] if who == by and at <= index), default=0)
                if not keys.of[code].is_late([keys.of[code].in_force("log", size)], before):
                    suspicions.append((code, [(size, root)]))
            else:
                sizes[treaty.codes[by]] = max(size, sizes.get(treaty.codes[by], 0))
        need(read("logs", code, "receipts.txt") == lines.encode(), f"the list of receipts for {code}")
        satisfied = [size for size in sizes.values() if size and treaty.satisfied(
            {c for c in sizes if sizes[c] >= size}, adoptions[code].at(size - 1))]
        log["final"] = max(satisfied, default=0)
    forked, unchecked = set(), set()
    for code, heads in suspicions:
        own = lambda size: roots[code][size] if size < len(roots[code]) else None
        where = [lies(head, own(head[0]), heads[1 - at] if len(heads) > 1 else None, certificates[code])
                 for at, head in enumerate(heads)] if certificates[code] else [False]
        if False in where:
            forked.add(code)
        elif None in where:
            unchecked.add(code)
    sound = not missing and not forked and not unchecked
    unchecked = {"unchecked": sorted(unchecked)} if unchecked else {}
    return {"verified": sound, "logs": out, "forks": sorted(forked), "missing": sorted(set(missing)), **unchecked}


def branch_roots(path, branch, code, treaty):
    """The roots of a branch that does not go on, by size, from its file: it leads to its head."""
    tree, last, roots = Tree(), treaty.hash if branch["common"] == 0 else None, {}
    for number, data, hashes in items(path, {"redact": []}):
        if hashes is not None:
            need(tree.size == number == 0 and sum(width for width, _ in hashes) == branch["common"], f"{path}: the common records")
            for width, root in hashes:
                tree.append(root, width)
            continue
        record = Record(data)
        need(branch["common"] <= tree.size == number == record.index and record.log == treaty.origin(code), f"{path}: a record")
        need(last in (None, record.prev) and (number > branch["common"] or record.leaf == branch["leaf"]), f"{path}: a record")
        last = record.leaf
        tree.append(last)
        roots[tree.size] = tree.root()
    need((tree.size, tree.root()) == branch["other"], f"{path}: another branch")
    return roots


# Section 17: archives

class Unable(Exception):
    """This machine lacks something that is needed: nothing was verified."""


def unzstd(path, target):
    """Decompresses one Zstandard frame with a small window; what is no such file, or more than that, is refused."""
    with open(path, "rb") as file:
        one_frame(file, os.path.getsize(path))
    most = min(2048 * os.path.getsize(path) + (1 << 20), 1 << 40)
    with open(path, "rb") as file, open(target, "wb") as out:
        if importlib.util.find_spec("zstandard"):
            import zstandard
            try:
                parts = zstandard.ZstdDecompressor(max_window_size=1 << 23).read_to_iter(file)
                copied(parts, out, most)
            except zstandard.ZstdError as why:
                raise Refused(f"the compression: {why}")
        elif command := shutil.which("zstd"):
            with subprocess.Popen([command, "-dcq"], stdin=file, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as run:
                try:
                    copied(iter(lambda: run.stdout.read(1 << 16), b""), out, most)
                except Refused:
                    run.kill()
                    raise
            need(run.returncode == 0, "the compression is damaged")
        else:
            raise Unable(f"{path} is compressed: install Python's package zstandard or the command zstd "
                         "(Debian: apt install zstd), or unpack it elsewhere and name the folder")


def copied(parts, out, most):
    size = 0
    for part in parts:
        size += len(part)
        need(size <= most, "it unpacks to more than 2,048 times its size")
        out.write(part)


def one_frame(file, size):
    """RFC 8878, section 3.1.1: the frame's header, then its blocks by their lengths, up to the end of the file."""
    def number(length):
        data = file.read(length)
        need(len(data) == length, "the compression is cut off")
        return int.from_bytes(data, "little")

    need(number(4) == 0xFD2FB528, "not Zstandard")
    flags = number(1)
    single, window = flags & 0x20, 0
    if not single:
        bits = number(1)
        window = (1 << 10 + (bits >> 3)) * (8 + (bits & 7)) // 8
    need(flags & 0x0B == 0, "a reserved bit, or a dictionary")
    content = {0: 1 if single else 0, 1: 2, 2: 4, 3: 8}[flags >> 6]
    known = number(content) + (256 if content == 2 else 0)
    need((known if single else window) <= 1 << 23, "a window of more than 8 MiB")
    last = False
    while not last:
        head = number(3)
        last, kind = head & 1, head >> 1 & 3
        need(kind != 3, "a block of a reserved type")
        file.seek(1 if kind == 1 else head >> 3, 1)
        need(file.tell() <= size, "the compression is cut off")
    number(4 if flags & 4 else 0)
    need(file.tell() == size, "bytes after the end")


def ustar(name, size):
    """The header that a file of an archive has."""
    prefix, short = "", name
    if len(name) > 100:
        at = name.rfind("/", 0, 156)
        prefix, short = name[:at], name[at + 1:]
    length = f"{size:011o}\0".encode() if size < 8 << 30 else b"\x80" + size.to_bytes(11, "big")
    parts = [short.encode().ljust(100, b"\0"), b"0000644\0", b"0000000\0", b"0000000\0", length, b"00000000000\0",
             b"        ", b"0", bytes(100), b"ustar\x0000", bytes(80), prefix.encode().ljust(155, b"\0"), bytes(12)]
    parts[6] = f"{sum(b''.join(parts)):07o}\0".encode()
    return b"".join(parts)


def unpacked(path, target, name):
    """Writes the files of a tar archive below a folder, each in its turn; refuses all that an export would not have written."""
    orders = ["README.txt", "treaty.toml", "profile.toml", "policy.txt", "part.json"]
    code = "[A-Z][A-Z0-9]{1,7}"
    kinds = [r"amendments/\d{3}\.note", f"forks/{code}\\.txt", f"logs/{code}/keys\\.txt", f"logs/{code}/(checkpoints|receipts|records)\\.txt"]
    names = []
    with open(path, "rb") as file:
        while (head := file.read(512)) != bytes(512):
            need(len(head) == 512, "the archive is cut off")
            said = b"/".join(part for part in (head[345:500].rstrip(b"\0"), head[:100].rstrip(b"\0")) if part)
            root, _, inside = said.decode("ascii", "replace").partition("/")
            fits = [inside == one for one in orders] + [bool(re.fullmatch(kind, inside, re.A)) for kind in kinds]
            need(root == name and any(fits), "an entry that does not belong there")
            big = head[124:136]
            size = int.from_bytes(big[1:], "big") if big[0] == 0x80 else int(big[:-1], 8) if re.fullmatch(rb"[0-7]{11}\0", big) else -1
            need(size >= 0 and head == ustar(said.decode(), size), "a header in another form")
            need(inside not in [other for _, other in names], "a file twice")
            names.append((fits.index(True), inside))
            os.makedirs(os.path.dirname(os.path.join(target, inside)), exist_ok=True)
            with open(os.path.join(target, inside), "xb") as out:
                left = size
                while left:
                    data = file.read(min(left, 1 << 16))
                    need(data, "the archive is cut off")
                    out.write(data)
                    left -= len(data)
            need(file.read(-size % 512) == bytes(-size % 512), "bytes between its files")
        need(file.read(512) == bytes(512) and file.read(1) == b"", "more than an export at the end of the archive")
    return names


def archive(path, treaty, profile):
    with tempfile.TemporaryDirectory() as desk:
        tar, target = os.path.join(desk, "tar"), os.path.join(desk, "export")
        unzstd(path, tar)
        with open(tar, "rb") as file:
            if file.read(23) == b"c2sp.org/tlog-proof@v1\n":
                file.seek(0)
                return evidence(file.read(22500693), treaty, profile)
        names = unpacked(tar, target, treaty.name)
        result = folder(target, treaty, profile)
        # By party in the treaty's order, those that acceded last.
        codes = [log["party"] for log in result["logs"]]
        place = lambda inside: codes.index(re.split("[/.]", inside)[1]) if inside[:5] in ("forks", "logs/") else inside
        keys = [(kind, place(inside), inside) for kind, inside in names]
        need(keys == sorted(keys), "files in another order")
        return result


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    treaty = Treaty(open(sys.argv[1], "rb").read())
    data = open(sys.argv[2], "rb").read()
    need(sha(data) == treaty.profile_hash, "the profile is not the treaty file's")
    profile = tomllib.loads(data.decode())
    treaty.rule = profile.get("amendment")
    good = True
    for path in sys.argv[3:]:
        try:
            if os.path.isdir(path):
                result = folder(path, treaty, profile)
            else:
                with open(path, "rb") as file:
                    packed = file.read(4) == b"\x28\xb5\x2f\xfd"
                result = archive(path, treaty, profile) if packed else evidence(open(path, "rb").read(), treaty, profile)
        except Unable as why:
            sys.exit(f"verify.py: {why}")
        except (Refused, UnicodeDecodeError) as why:
            result = {"verified": False, "why": str(why)}
        good &= result["verified"]
        print(json.dumps(result))
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
