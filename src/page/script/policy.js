// Who must have receipted: C2SP tlog-policy (docs/format.md, section 6).
import { need } from "./bytes.js";

const MAX_POLICY_BYTES = 65536;

/** Reads the lines `group …` and `quorum …`; the witnesses are the parties, by code. */
export function parsePolicy(text, codes, bytesBefore) {
  need(bytesBefore + text.length <= MAX_POLICY_BYTES, `a policy is at most ${MAX_POLICY_BYTES} bytes long`);
  const rules = new Map(codes.map((code) => [code, null]));
  const members = new Set();
  let quorum;
  for (const [at, line] of text.split("\n").entries()) {
    const fail = (what) => need(false, `\`quorum\`: line ${at + 1}: ${what}`);
    if (/[\x00-\x08\x0a-\x1f\x7f]/.test(line)) fail("control characters are not allowed");
    const items = line.split(/[ \t]+/).filter((item) => item !== "");
    if (items.length === 0 || items[0].startsWith("#")) continue;
    if (items[0] === "group" && items.length >= 3) {
      const [, name, threshold, ...names] = items;
      for (const member of names) {
        if (!rules.has(member)) fail(`\`${member}\` is not defined on a line before this one`);
        if (members.has(member)) fail(`\`${member}\` is a member of a group already, and counts once only`);
        members.add(member);
      }
      const needed = threshold === "any" ? 1 : threshold === "all" ? names.length : /^[1-9][0-9]{0,8}$/.test(threshold) ? Number(threshold) : 0;
      if (needed === 0 || needed > names.length) fail(`the threshold is \`any\`, \`all\`, or a number from 1 to ${names.length}`);
      if (name === "none" || rules.has(name)) fail(`\`${name}\` is reserved or defined already`);
      rules.set(name, { needed, names });
    } else if (items[0] === "quorum" && items.length === 2) {
      if (quorum !== undefined) fail("there is a quorum line already");
      if (items[1] !== "none" && !rules.has(items[1])) fail(`\`${items[1]}\` is not defined on a line before this one`);
      quorum = items[1];
    } else {
      fail("expected `group` or `quorum` and its items");
    }
  }
  need(quorum !== undefined, "the policy has no `quorum` line");
  return { rules, quorum };
}

/** Whether receipts by these parties make the quorum, as if those that are gone did not stand in the policy. */
export function isSatisfied(policy, have, gone) {
  // `null` of a party that is gone, and of a group all of whose members are.
  const holds = (name) => {
    const rule = policy.rules.get(name);
    if (rule === null) return gone(name) ? null : have.has(name);
    const left = rule.names.map(holds).filter((one) => one !== null);
    return left.length === 0 ? null : left.filter(Boolean).length >= Math.min(rule.needed, left.length);
  };
  return policy.quorum === "none" || holds(policy.quorum) === true;
}
