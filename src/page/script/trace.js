// What was checked, in order, with the inputs of each check: so that a sceptic can do each again with other tools.

/**
 * A check has `part` (the part of the file that it is about), `says` (what holds if it holds), `ok`, and its inputs: of a
 * signature `key`, `message` and `signature`; of a hash `data` and `hash`; of a proof `leaf`, `index`, `size`, `steps` and
 * `root`.
 */
export class Trace {
  constructor() {
    this.checks = [];
    this.part = "";
  }

  /** What follows is about this part. */
  about(part) {
    this.part = part;
  }

  signature(check) {
    this.checks.push({ part: this.part, kind: "signature", ...check });
  }

  hash(check) {
    this.checks.push({ part: this.part, kind: "hash", ...check });
  }

  proof(check) {
    this.checks.push({ part: this.part, kind: "proof", ...check });
  }

  /** Something that is seen by reading, without arithmetic. */
  rule(says, ok = true) {
    this.checks.push({ part: this.part, kind: "rule", says, ok });
  }
}

/** For a ledger of many records: counts what is checked, and keeps only what fails. */
export class Tally extends Trace {
  constructor() {
    super();
    this.count = { signature: 0, hash: 0, proof: 0, rule: 0 };
  }

  keep(kind, check) {
    this.count[kind] += 1;
    if (!check.ok) this.checks.push({ part: this.part, kind, ...check });
  }

  signature(check) {
    this.keep("signature", check);
  }

  hash(check) {
    this.keep("hash", check);
  }

  proof(check) {
    this.keep("proof", check);
  }

  rule(says, ok = true) {
    this.keep("rule", { says, ok });
  }

  /** For something that is checked beside other things, and may count for nothing: what fails in it is kept apart. */
  apart() {
    const apart = new Tally();
    apart.count = this.count;
    return apart;
  }
}
