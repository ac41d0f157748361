// The page: verifies what it carries when it is opened, and again with whatever treaty file its reader gives it.
import { Refused, hex, need, within } from "./bytes.js";
import { checksList, wholeScript } from "./checks.js";
import { copyable, download, h, shown } from "./dom.js";
import { isAble } from "./ed25519.js";
import { verifyEvidence } from "./evidence.js";
import { ledgerData, verifyLedger } from "./ledger.js";
import { ledgerGaps, ledgerMatrix, ledgerNotes, ledgerSentences, ledgerTimeline } from "./ledgerview.js";
import { amendments, keysOfLedger, keysOfNote } from "./histories.js";
import { carried, carriedHere, kindOf } from "./files.js";
import { sha256 } from "./hash.js";
import { letter, numberOf } from "./letter.js";
import { parseProfile } from "./profile.js";
import { receiptsTable } from "./receipts.js";
import { untar } from "./tar.js";
import { timeline } from "./timeline.js";
import { Tally, Trace } from "./trace.js";
import { nameOf, parseTreaty } from "./treaty.js";
import { asData, listed } from "./verdict.js";

const EVIDENCE = "evidence.tlog-proof";
const TREATY = "treaty.toml";
const PROFILE = "profile.toml";

/** The files that are verified, and which of them the reader has given. */
const state = { files: new Map(), given: new Set(), run: 0, treaty: null };

const element = (id) => document.getElementById(id);

function put(id, ...content) {
  element(id).replaceChildren(...content.flat());
}

function banner(kind, word, ...lead) {
  document.documentElement.dataset.verdict = kind;
  element("verdict").className = kind;
  put("verdict", h("p", { class: "word" }, word), ...lead.map((text) => h("p", {}, text)));
}

/** Verifies everything anew and shows what follows. Only the last run shows anything. */
async function run() {
  const number = (state.run += 1);
  const whole = !state.files.has(EVIDENCE);
  const trace = whole ? new Tally() : new Trace();
  let shownResult;
  banner("pending", "VERIFYING …", "Every signature, hash and proof is being checked in this browser.");
  try {
    const treaty = await within(TREATY, () => parseTreaty(fileNamed(TREATY)));
    state.treaty = treaty;
    const profile = state.files.has(PROFILE) ? await within(PROFILE, () => parseProfile(fileNamed(PROFILE), treaty)) : null;
    if (whole && ![...state.files.keys()].some((name) => name.startsWith("logs/"))) fileNamed(EVIDENCE);
    if (whole) {
      need(profile !== null, "profile.toml is missing");
      const report = await verifyLedger(state.files, treaty, profile, trace, (done, total) => {
        // Another file was given meanwhile: what is under way is of no interest any more.
        if (number !== state.run) throw new Error("superseded");
        progress(done, total);
      });
      if (number === state.run) {
        showLedger(report, profile, trace);
        await showFiles();
      }
      return;
    }
    const verdict = await verifyEvidence(fileNamed(EVIDENCE), treaty, profile, trace);
    need(trace.checks.every((check) => check.ok || check.part === "the note"), "a check failed");
    shownResult = () => showVerdict(verdict, profile, trace);
  } catch (error) {
    shownResult = () => showRefusal(error, trace);
  }
  if (number !== state.run) return;
  progress(null);
  shownResult();
  await showFiles();
}

/** How much of a ledger was checked, in bytes; `null` where nothing is under way. */
function progress(done, total) {
  const [bar, words] = [element("progress"), element("progress-words")];
  bar.hidden = words.hidden = done === null;
  bar.max = Math.max(total ?? 1, 1);
  bar.value = done ?? 0;
  words.textContent = done === null ? "" : `${Math.floor((100 * done) / bar.max)} % of ${megabytes(total)} MB checked.`;
}

function megabytes(bytes) {
  return (bytes / 1e6).toFixed(1);
}

function fileNamed(name) {
  const bytes = state.files.get(name);
  if (bytes === undefined) throw new Refused("the page does not carry this file", name);
  return bytes;
}

/** Which treaty file was used, and what that means. */
function trusted(treaty) {
  const hash = h("code", { class: "hash" }, hex(treaty.hash));
  if (state.given.has(TREATY)) {
    return h("p", { class: "trust given" }, "Checked against the treaty file that you gave. Its SHA-256 is ", hash, ".");
  }
  return h(
    "p",
    { class: "trust" },
    "Checked against the treaty file inside this page, and all keys come from there: compare its SHA-256 with that of one that you trust, or give that file below. It is ",
    hash,
    ".",
  );
}

function showVerdict(verdict, profile, trace) {
  const { treaty } = verdict;
  const count = trace.checks.length;
  if (verdict.sound) {
    banner("verified", "VERIFIED", `Every signature, hash and proof holds: ${count} checks, all made in this browser.`);
  } else {
    const against =
      verdict.fork !== null
        ? "the log has forked"
        : verdict.final
          ? "the note is not in order"
          : "its receipts do not make the treaty's quorum";
    banner("reserved", "VERIFIED, WITH RESERVATIONS", `Every byte verifies, but ${against}. What is proven all the same stands below.`);
  }
  element("verdict").append(trusted(treaty));
  const sender = nameOf(treaty, verdict.party);
  document.title = shown(`${verdict.party}/${verdict.index}: ${verdict.title}`);
  put("title", verdict.title);
  const to = verdict.to.map((code) => (code === "*" ? "all parties" : nameOf(treaty, code)));
  put("subtitle", `${sender}${to.length > 0 ? ` to ${listed(to, "and")}` : ""}`);
  const logged = { party: verdict.party, index: verdict.index, year: Number(verdict.logged.slice(0, 4)), kind: verdict.kind };
  const [place, number] = [`${verdict.party}/${verdict.index}`, numberOf(logged, profile)];
  put("treaty-title", `${treaty.title} · note ${place}${number === place ? "" : ` · ${number}`}`);
  const lines = letter(verdict, treaty, profile);
  const none = h("p", {}, "The record cannot be read as a notification. Its bytes are among the checks below.");
  put("letter", lines === null ? none : h("pre", { class: "letter", tabindex: "0", "aria-label": "the note" }, lines.join("\n")));
  put("proven", verdict.sentences.map((text) => h("li", {}, text)));
  element("deadline").hidden = verdict.rules === null;
  put("rules", (verdict.rules?.sentences ?? []).map((text) => h("li", { class: /^(By the treaty's profile|The rule `)/.test(text) ? "rule" : "step" }, text)));
  put("not-proven", [...verdict.not_proven, ...(verdict.rules?.not_proven ?? [])].map((text) => h("li", {}, text)));
  put("custody", timeline(verdict, treaty));
  put("receipts", receiptsTable(verdict, treaty));
  showQuorum(treaty);
  put("keys", keysOfNote(verdict, treaty, profile));
  const { adoption } = verdict.parts;
  showAmendments(treaty, (number) => {
    const from = adoption.placeOf(number);
    return from === null ? `not yet in the log of ${sender}, as far as this file shows` : `in the log of ${sender} from record ${from} on`;
  });
  put("checks", checksList(trace));
  put(
    "all-checks",
    h("p", {}, "All of them again, as one script for a shell with OpenSSL 3: ", download("checks.sh", wholeScript(trace)), "."),
  );
  put("data", JSON.stringify(asData(verdict), null, 2));
  for (const section of document.querySelectorAll("[data-when=verified]")) section.hidden = section.dataset.of === "ledger";
}

/** The quorum as it stands with all amendments. */
function showQuorum(treaty) {
  const words = treaty.taken.length === 0 ? "The treaty's quorum" : "The treaty's quorum with all amendments";
  const lines = treaty.states.at(-1).quorumText.trim();
  put("quorum", h("p", {}, `${words}, in the words of C2SP tlog-policy:`), h("pre", { tabindex: "0", "aria-label": "the quorum" }, lines));
}

function showAmendments(treaty, places) {
  element("amended").hidden = treaty.taken.length === 0;
  put("amendments", amendments(treaty, places));
}

function showLedger(report, profile, trace) {
  const { treaty } = report;
  progress(null);
  if (report.faults.length > 0) {
    const { file, what } = report.faults[0];
    const more = report.faults.length > 1 ? ` (and ${report.faults.length - 1} more faults)` : "";
    showRefusal(new Refused(`${what}${more}`, file), trace);
    put("data", JSON.stringify(ledgerData(report)));
    return;
  }
  const { signature, hash, proof, rule } = trace.count;
  const records = report.logs.reduce((sum, log) => sum + log.counts.records, 0);
  if (report.sound) {
    banner("verified", "VERIFIED", `${report.part === null ? "All" : "What is here of"} ${records} records ${report.part === null ? "hold" : "holds"}, with all hashes, and ${signature + hash + proof + rule} signatures and proofs, all checked in this browser.`);
  } else {
    const against = report.forks.length > 0 ? "a log has forked" : "some logs are longer than what is here";
    banner("reserved", "VERIFIED, WITH RESERVATIONS", `What is here verifies, but ${against}.`);
  }
  element("verdict").append(trusted(treaty));
  document.title = shown(treaty.title);
  put("title", treaty.title);
  put("subtitle", `${report.part === null ? "The ledger" : "A part of the ledger"} of ${report.logs.length} parties`);
  put("treaty-title", report.part === null ? "Export of a ledger" : "Export of a part of a ledger");
  put("proven", ledgerSentences(report).map((text) => h("li", {}, text)));
  put("not-proven", ledgerGaps(report).map((text) => h("li", {}, text)));
  put("custody", ledgerTimeline(report, treaty));
  put("receipts", ledgerMatrix(report, treaty));
  showQuorum(treaty);
  put("keys", keysOfLedger(report, profile));
  showAmendments(treaty, (number) => {
    const places = report.logs.map((log) => [log.party.code, log.adoption.placeOf(number)]);
    const there = places.filter(([, from]) => from !== null).map(([code, from]) => `${code} from record ${from} on`);
    const not = places.filter(([, from]) => from === null).map(([code]) => code);
    return `in the logs of ${there.join("; ")}${not.length > 0 ? `; not in those of ${not.join(", ")}` : ""}`;
  });
  put("notes", ledgerNotes(report, treaty, profile));
  put("data", JSON.stringify(ledgerData(report), null, 2));
  for (const section of document.querySelectorAll("[data-when=verified]")) section.hidden = section.dataset.of === "note";
}

function showRefusal(error, trace) {
  const known = error instanceof Refused;
  const what = known ? `${error.part === "" ? "" : `${error.part}: `}${error.message}.` : `This browser failed: ${error}.`;
  banner("refused", "NOT VERIFIED", shown(what), "Nothing in this page may be relied on.");
  document.title = "Not verified";
  put("title", "Not verified");
  put("subtitle");
  put("treaty-title", "Evidence");
  for (const section of document.querySelectorAll("[data-when=verified]")) section.hidden = true;
  const failed = trace.checks.filter((check) => !check.ok);
  element("failed").hidden = failed.length === 0;
  put("failed-checks", checksList({ checks: failed }));
  put("data", JSON.stringify({ sound: false, part: known ? error.part : "", error: known ? error.message : String(error) }));
}

async function showFiles() {
  const items = [];
  for (const [name, bytes] of state.files) {
    const from = state.given.has(name) ? "given by you" : "inside this page";
    const hash = hex(await sha256(bytes));
    items.push(h("li", {}, download(name, bytes), ` · ${bytes.length} bytes, ${from} · SHA-256 `, h("code", { class: "hash" }, hash)));
  }
  put("files", items);
  const target = state.files.has(EVIDENCE) ? EVIDENCE : "FILE.html";
  const commands = `verbale verify ${target} --treaty ${TREATY}`;
  put("commands", copyable(commands, "command for verbale"));
}

/** The files of an export in an archive, below a folder that has the ledger's name. */
async function unpacked(bytes) {
  const { root, files } = untar(bytes);
  need(files.has(TREATY), "there is no treaty file in the archive");
  const { name } = await parseTreaty(files.get(TREATY));
  need(name === root, "the archive's folder does not have the ledger's name");
  return files;
}

/** Takes files from the reader: a treaty file, its profile, another evidence file or page. */
async function take(list) {
  put("given");
  for (const file of list) {
    try {
      const bytes = new Uint8Array(await file.arrayBuffer());
      const kind = await kindOf(bytes, state.treaty);
      if (kind === "page" || kind === "archive") {
        const inside = kind === "page" ? carried(new TextDecoder().decode(bytes)) : await unpacked(bytes);
        need(inside.size > 0, "this page carries no evidence");
        for (const name of state.files.keys()) if (!state.given.has(name)) state.files.delete(name);
        // The reader's own treaty file stays: it is the one that is trusted.
        for (const [name, content] of inside) if (!state.given.has(name)) state.files.set(name, content);
      } else {
        const name = { evidence: EVIDENCE, treaty: TREATY, profile: PROFILE }[kind];
        state.files.set(name, bytes);
        state.given.add(name);
      }
    } catch (error) {
      element("given").append(h("p", { class: "failed" }, `${file.name} was not taken: ${error.message}`));
      continue;
    }
    element("given").append(h("p", {}, `${file.name} was read; everything has been checked anew with it.`));
  }
  await run();
}

function listen() {
  const picker = element("picker");
  picker.addEventListener("change", () => take([...picker.files]));
  element("print").addEventListener("click", () => print());
  const drag = (event) => {
    event.preventDefault();
    document.body.classList.add("dragging");
  };
  document.addEventListener("dragenter", drag);
  document.addEventListener("dragover", drag);
  document.addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) document.body.classList.remove("dragging");
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("dragging");
    take([...event.dataTransfer.files]);
  });
  // On paper a closed check would show nothing.
  addEventListener("beforeprint", () => document.querySelectorAll("details.print").forEach((details) => (details.open = true)));
}

async function start() {
  listen();
  element("tools").hidden = false;
  if (!globalThis.crypto?.subtle || !(await isAble())) {
    banner("refused", "NOT VERIFIED", "This browser cannot verify Ed25519 signatures (WebCrypto). Use a newer one: Chromium 137, Firefox 130 or Safari 17.");
    return;
  }
  try {
    state.files = carriedHere();
  } catch (error) {
    showRefusal(error, new Trace());
    return;
  }
  await run();
}

if (document.getElementById("verdict") !== null) start();
