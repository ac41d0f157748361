// Whether a note is in order beside its fields: its sender, its addressees, its signatures, what it refers to (section 14).
import { ROLES, find } from "./treaty.js";

/** The places of the parties that a name means: the members of a group, or the party with that code. */
export function members(name, treaty, profile) {
  return (profile.groups.get(name)?.members ?? [name]).map((code) => find(treaty, code)).filter((at) => at >= 0);
}

/** The places of the parties that a word of the profile means. */
export function parties(word, value, from, treaty, profile) {
  const all = treaty.parties.map((_, at) => at);
  const [first, name] = word.split(":");
  if (word === "*") return all.filter((at) => at !== from);
  if (word === "sender") return [from];
  if (word === "addressee") return all.filter((at) => at !== from && (value.to.includes("*") || value.to.includes(treaty.parties[at].code)));
  if (ROLES.includes(word)) return all.filter((at) => treaty.parties[at].roles.includes(word));
  if (first === "group") return members(name, treaty, profile);
  if (first !== "field") return members(word, treaty, { groups: new Map() });
  const said = value.body.get(name);
  const names = (Array.isArray(said) ? said : [said]).filter((one) => typeof one === "string");
  return all.filter((at) => names.some((one) => members(one, treaty, profile).includes(at)));
}

/** Who is meant by a word, for people. */
function describe(text, profile) {
  const any = text.startsWith("any ");
  const word = text.replace(/^any /, "");
  const [first, name] = word.split(":");
  const title = profile.groups.get(name)?.title ?? name;
  if (word === "*") return any ? "another party" : "all parties";
  if (word === "sender") return "the sender";
  if (word === "addressee" || ROLES.includes(word)) return `${any ? "one" : "each"} ${word.replace("-", " ")}`;
  if (first === "group") return any ? `a member of ${title}` : `the members of ${title}`;
  return first === "field" ? `whom the note names as \`${name}\`` : word;
}

/** Whether a party may send a note of a kind, as it is said. */
function maySend(kind, value, from, treaty, profile) {
  const said = kind.behalf === null ? undefined : value.body.get(kind.behalf);
  if (typeof said === "string" && !members(said, treaty, profile).includes(from)) return false;
  const { roles } = treaty.parties[from];
  const mine = (word) => (word === "*" ? roles.some((role) => role !== "observer") : parties(word, value, from, treaty, profile).includes(from));
  return kind.from.length === 0 || kind.from.some((word) => mine(word.replace(/^any /, "")));
}

/** What the profile demands of a note of this kind and does not find in it: codes, each with one sentence. */
export function disorder(kind, value, from, officials, treaty, profile) {
  const out = [];
  const { code } = treaty.parties[from];
  const bare = (word) => word.replace(/^any /, "");
  const said = kind.behalf === null ? undefined : value.body.get(kind.behalf);
  if (typeof said === "string" && !members(said, treaty, profile).includes(from)) {
    out.push(["wrong-sender", `It is sent for ${said}, of which ${code} is no member.`]);
  } else if (!maySend(kind, value, from, treaty, profile)) {
    out.push(["wrong-sender", `A note of this kind is for ${kind.from.map((word) => describe(word, profile)).join(" or ")} to send, not for ${code}.`]);
  }
  for (const word of kind.mustReach) {
    const wanted = parties(bare(word), value, from, treaty, profile).filter((at) => at !== from);
    const missing = value.to.includes("*") ? [] : wanted.filter((at) => !value.to.includes(treaty.parties[at].code));
    const enough = word.startsWith("any ") ? wanted.length === 0 || missing.length < wanted.length : missing.length === 0;
    const names = missing.map((at) => treaty.parties[at].code).join(", ");
    if (!enough) out.push(["not-reached", `It has to be addressed to ${describe(word, profile)}; it is not to ${names}.`]);
  }
  if (kind.signatures > 1 && officials < kind.signatures) {
    out.push(["signatures", `A note of this kind is signed by ${kind.signatures} officials; of this one's signatures ${officials} hold.`]);
  }
  if (value.re.length < kind.after.length) {
    out.push(["no-predecessor", `It has to refer to an earlier note of the kind ${kind.after.map((one) => `\`${one}\``).join(", and to one of the kind ")}.`]);
  }
  return out;
}
