// The treaty file (docs/format.md, section 6). The treaty file's SHA-256 is the ledger's identity.
import { Refused, hashOfHex, hex, isCode, need, textOf, utf8, within } from "./bytes.js";
import { isPlain } from "./canon.js";
import { sha256 } from "./hash.js";
import { COSIGNATURE, ED25519, parseKey } from "./note.js";
import { parsePolicy } from "./policy.js";
import { parseToml } from "./toml.js";

const MAX_BYTES = 1 << 20;
export const ROLES = ["state-party", "depositary", "observer"];

function exactly(table, where, required, optional = []) {
  need(table instanceof Map, `${where} should be a table`);
  for (const name of required) need(table.has(name), `${where}: \`${name}\` is missing`);
  for (const name of table.keys()) need([...required, ...optional].includes(name), `${where}: \`${name}\` is not known`);
  return Object.fromEntries(table);
}

function texts(value, what) {
  need(Array.isArray(value) && value.every((item) => typeof item === "string"), `${what} should be a list of texts`);
  return value;
}

function text(value, what) {
  need(typeof value === "string", `${what} should be a text`);
  return value;
}

/** Reads and checks a treaty file's bytes. */
export async function parseTreaty(bytes) {
  need(bytes.length <= MAX_BYTES, `a treaty file is at most ${MAX_BYTES} bytes long`);
  const table = parseToml(textOf(bytes, "the treaty file"));
  const file = exactly(table, "the treaty file", ["version", "name", "title", "profile_sha256", "quorum", "party"]);
  need(file.version === 1, `\`version\` ${file.version} is not known; this page knows 1`);
  const named = typeof file.name === "string" && /^[a-z][a-z0-9.-]{0,63}$/.test(file.name);
  need(named, "`name` is lower-case words with hyphens, as `open-skies`");
  need(Array.isArray(file.party) && file.party.length >= 1 && file.party.length <= 256, "a treaty has 1 to 256 parties");
  const treaty = { bytes, hash: await sha256(bytes), name: file.name, title: text(file.title, "`title`") };
  treaty.profileHash = hashOfHex(file.profile_sha256);
  treaty.parties = [];
  const seen = new Map();
  for (const entry of file.party) {
    const party = await readParty(entry, file.name);
    for (const job of ["root", "log", "witness"]) {
      const key = hex(party[job].key);
      need(!seen.has(key), `party ${party.code}: its ${job} key is also a key of ${seen.get(key)}`);
      seen.set(key, party.code);
    }
    for (const unique of [`code ${party.code}`, `peer ${party.peer}`]) {
      need(!seen.has(unique), `party ${party.code}: its ${unique} stands in the file twice`);
      seen.set(unique, party.code);
    }
    treaty.parties.push(party);
  }
  const quorumText = text(file.quorum, "`quorum`");
  treaty.policyText = witnessLines(treaty.parties) + quorumText;
  // By the number of amendments: the policy, and how many parties there are. Later ones come after these.
  treaty.states = [{ policy: parsePolicyOf(treaty.parties, quorumText), quorumText, parties: treaty.parties.length }];
  return { ...treaty, taken: [], statuses: [], rule: null };
}

function witnessLines(parties) {
  return parties.map((p) => `log ${p.log.text}\nwitness ${p.code} ${p.witness.text}\n`).join("");
}

/** The policy of these parties with these lines `group …` and `quorum …`. */
export function parsePolicyOf(parties, quorumText) {
  return parsePolicy(quorumText, parties.map((party) => party.code), utf8(witnessLines(parties)).length);
}

/** A libp2p peer id, as far as can be said without libp2p. */
export function isPeer(value) {
  return typeof value === "string" && /^[A-Za-z0-9]{46,64}$/.test(value);
}

export function checkAddresses(value) {
  const addresses = texts(value, "`addresses`");
  need(addresses.length <= 16 && addresses.every((a) => a.startsWith("/") && utf8(a).length <= 256), "`addresses` are at most 16 libp2p addresses");
}

/** Reads the entry of a party, a map. */
export async function readParty(entry, ledger) {
  const named = entry instanceof Map ? entry.get("code") : undefined;
  return within(`party ${named ?? "without a code"}`, async () => {
    const fields = ["code", "name", "roles", "root", "log", "witness", "peer", "addresses"];
    const party = exactly(entry, "a party", fields);
    need(isCode(party.code), "a code is two to eight capitals or digits, as `CA`");
    const plain = typeof party.name === "string" && isPlain(party.name);
    const named = plain && utf8(party.name).length >= 1 && utf8(party.name).length <= 200;
    need(named, "`name` is empty, too long or has invisible characters");
    need(texts(party.roles, "`roles`").length > 0, "`roles` is empty");
    need(party.roles.every((role) => ROLES.includes(role)), `\`roles\` are among ${ROLES.join(", ")}`);
    party.origin = `${ledger}/${party.code}`;
    const jobs = [["root", `${party.origin}/root`, ED25519], ["log", party.origin, ED25519], ["witness", `${party.origin}/witness`, COSIGNATURE]];
    for (const [job, name, kind] of jobs) {
      party[job] = await parseKey(text(party[job], `\`${job}\``));
      need(party[job].name === name, `the \`${job}\` key is named ${party[job].name}, and should be named ${name}`);
      need(party[job].kind === kind, `the \`${job}\` key is of type ${party[job].kind}, not ${kind}`);
    }
    need(isPeer(party.peer), "`peer` is not a libp2p peer id (12D3KooW…)");
    checkAddresses(party.addresses);
    return party;
  });
}

/** The place of a party by its code, or -1. */
export function find(treaty, code) {
  return treaty.parties.findIndex((party) => party.code === code);
}

/** The place of the party whose log has this origin; refused if there is none. */
export function logOf(treaty, origin) {
  const log = treaty.parties.findIndex((party) => party.origin === origin);
  if (log < 0) throw new Refused(`the log ${origin} is not in the treaty file`);
  return log;
}

export function nameOf(treaty, code) {
  return treaty.parties.find((party) => party.code === code)?.name ?? code;
}
