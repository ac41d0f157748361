// Making elements. Text is always set as text, never as markup: what others wrote steers nothing.

const SVG = "http://www.w3.org/2000/svg";

/** What a reader would not see, or what would turn the text's direction, is shown as a replacement. */
export function shown(text) {
  return String(text).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (c) => (c === "\n" || c === "\t" ? c : "\ufffd"));
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children.flat()) {
    if (child !== null && child !== undefined) element.append(child instanceof Node ? child : shown(child));
  }
  return element;
}

/** An HTML element. */
export function h(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

/** An SVG element. */
export function s(name, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

/** A link that saves bytes as a file. */
export function download(name, bytes, label) {
  const url = URL.createObjectURL(new Blob([bytes], { type: "application/octet-stream" }));
  return h("a", { href: url, download: name }, label ?? name);
}

/** A block of text to be copied, with a button that does so. */
export function copyable(text, label) {
  const block = h("pre", { tabindex: "0", "aria-label": label }, text);
  const copy = async (event) => {
    const button = event.currentTarget;
    let done = true;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Without permission the text is selected, to be copied by hand.
      getSelection().selectAllChildren(block);
      done = false;
    }
    button.textContent = done ? "Copied" : "Selected: copy it";
  };
  return h("div", { class: "copyable" }, block, h("button", { type: "button", class: "small", onclick: copy }, "Copy"));
}
