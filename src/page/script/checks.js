// Each check with its inputs, and the commands by which a sceptic can do it again with OpenSSL.
import { base64, concat, hex, textOf } from "./bytes.js";
import { copyable, download, h } from "./dom.js";
import { spki } from "./ed25519.js";

/** Bytes as the argument of a shell's `printf`, by way of base64. */
function piped(bytes) {
  return `printf %s '${base64(bytes)}' | openssl base64 -d -A`;
}

/** Says whether the shell's `h` is what it should be. */
function compared(expected) {
  return `test "$h" = '${expected}' && echo 'holds' || { echo 'FAILS'; false; }`;
}

/** A shell script that does the check again. It fails where the check fails. */
export function script(check) {
  if (check.kind === "signature") {
    return [
      `# ${check.says}`,
      `${piped(spki(check.key.key))} > key.der`,
      `${piped(check.message)} > message.txt`,
      `${piped(check.signature)} > signature.bin`,
      "openssl pkeyutl -verify -rawin -pubin -keyform DER -inkey key.der -in message.txt -sigfile signature.bin",
    ].join("\n");
  }
  if (check.kind === "hash") {
    const line = `h=$(${piped(check.data)} | openssl dgst -sha256 -r | cut -c 1-64)`;
    return [`# ${check.says}`, line, compared(hex(check.hash))].join("\n");
  }
  if (check.kind === "proof") {
    const running = 'printf %s "$h" | openssl base64 -d -A';
    const steps = check.steps.map(({ sibling, left }) => {
      const pair = left ? [piped(sibling), running] : [running, piped(sibling)];
      return `h=$({ printf '\\001'; ${pair[0]}; ${pair[1]}; } | openssl dgst -sha256 -binary | openssl base64 -A)`;
    });
    const says = `# ${check.says}: from the leaf hash up to the root`;
    return [says, `h='${base64(check.leaf)}'`, ...steps, compared(base64(check.root))].join("\n");
  }
  return "";
}

const KINDS = { signature: "Signature", hash: "Hash", proof: "Inclusion", rule: "Rule" };

function inputs(check) {
  const rows = [];
  const row = (name, ...content) => rows.push(h("dt", {}, name), h("dd", {}, ...content));
  const code = (text) => h("code", {}, text);
  if (check.kind === "signature") {
    row("Key", code(check.key.text), " (its last 32 bytes are the public key)");
    row("Signed bytes", h("pre", { tabindex: "0", "aria-label": "the signed bytes as text" }, textOf(check.message, "the message")), download("message.txt", check.message));
    row("Signature (hexadecimal)", code(hex(check.signature)), " ", download("signature.bin", check.signature));
    row("Key for OpenSSL", download("key.der", spki(check.key.key)));
  } else if (check.kind === "hash") {
    row("SHA-256 of", `the byte 00 and the record's ${check.data.length - 1} bytes `, download("record-with-00.bin", check.data));
    row("is", code(hex(check.hash)));
  } else if (check.kind === "proof") {
    row("Leaf hash", code(hex(check.leaf)));
    row("Place and size", `record ${check.index} of ${check.size}`);
    row("Path", check.steps.length === 0 ? "empty: the leaf hash is the root" : `${check.steps.length} hashes`);
    row("Signed root", code(hex(check.root)), ` (base64 ${base64(check.root)})`);
  }
  return h("dl", {}, rows);
}

function one(check, number) {
  const state = h("span", { class: check.ok ? "ok" : "failed" }, check.ok ? "✓ holds" : "✗ fails");
  const summary = h("summary", {}, h("span", { class: "number" }, `${number}`), ` ${KINDS[check.kind]}: ${check.says} `, state);
  const details = h("details", { class: check.ok ? "check" : "check failed", open: !check.ok }, summary);
  // Made when it is opened: a long ledger has many.
  const open = () => {
    if (details.dataset.made) return;
    details.dataset.made = "yes";
    details.append(inputs(check));
    const text = script(check);
    if (text !== "") details.append(h("p", { class: "hint" }, "Again, with OpenSSL 3:"), copyable(text, "commands for OpenSSL"));
  };
  details.addEventListener("toggle", open);
  if (!check.ok) open();
  return details;
}

/** All checks, by the part of the file that they are about. */
export function checksList(trace) {
  const groups = [];
  let number = 0;
  for (const check of trace.checks) {
    if (groups.at(-1)?.part !== check.part) groups.push({ part: check.part, items: [] });
    number += 1;
    groups.at(-1).items.push(one(check, number));
  }
  return groups.map(({ part, items }) => h("section", { class: "group" }, h("h3", {}, part), items));
}

/** All signatures' commands in one script. */
export function wholeScript(trace) {
  const scripts = trace.checks.map(script).filter((text) => text !== "");
  return concat(new TextEncoder().encode(`#!/bin/sh\nset -e\ncd "$(mktemp -d)"\n\n${scripts.join("\n\n")}\n`));
}
