// Buttons that copy a text: a container's name, a command, the address of the page.

/** Without https or localhost a browser has no clipboard API. @param {string} text */
function copyBySelection(text) {
  const area = document.createElement('textarea');
  area.value = text;
  // While a modal dialog is open, nothing outside it can be selected.
  (document.querySelector('dialog[open]') ?? document.body).append(area);
  area.select();
  const isDone = document.execCommand('copy');
  area.remove();
  return isDone;
}

/** @param {string} text */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text);
  }
}

/** @param {string} label @param {() => string} text what is copied, read at the click */
export function copyButton(label, text) {
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'copy';
  button.textContent = label;
  button.addEventListener('click', async () => {
    const isDone = await copy(text());
    button.textContent = isDone ? 'Copied' : 'Not allowed by the browser';
    button.focus();
    setTimeout(() => (button.textContent = label), 1500);
  });
  button.title = `Copy: ${text()}`;
  return button;
}
