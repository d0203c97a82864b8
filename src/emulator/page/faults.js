// Faults of the emulator: which are in force, and a form that sets one in their place. The same as
// `PUT /emulator/faults`, which can do more.

/** @typedef {Record<string, string | number | boolean>} Rule */

/** @type {Readonly<Record<string, Rule>>} */
const kinds = {
  429: { mode: 'status', status: 429 },
  503: { mode: 'status', status: 503 },
  403: { mode: 'status', status: 403 },
  hang: { mode: 'hang' },
  reset: { mode: 'reset' },
  html: { mode: 'html' },
  slow: { delayMs: 2000 },
  partial: { mode: 'partial' },
  lost: { mode: 'reset', after: true },
};
const percent = new Intl.NumberFormat('en', { style: 'percent', maximumFractionDigits: 1 });

/** @param {string} id @returns {any} */
const element = (id) => document.getElementById(id);

/** What a rule does, in words; also of rules that this form cannot make. @param {Rule} rule */
function ruleText({ mode, delayMs, share, everyNth, times, forMs, pattern, on, ...more }) {
  const what =
    {
      status: `answers ${more['status'] ?? 503}`,
      hang: 'never answers',
      reset: more['after'] ? 'takes the request, loses the answer' : 'cuts the connection',
      html: `answers a page of HTML (${more['status'] ?? 502})`,
      partial: 'refuses entries',
    }[String(mode)] ?? (mode === undefined ? '' : `answers wrongly (${mode})`);
  const parts = [
    what,
    delayMs === undefined ? '' : `answers after ${Number(delayMs) / 1000} s`,
    pattern === undefined ? '' : `where an entry holds “${pattern}”`,
    share === undefined ? '' : `${percent.format(Number(share))} of the requests`,
    everyNth === undefined ? '' : `one of every ${everyNth} requests`,
    times === undefined ? '' : times === 1 ? 'once' : `${times} times`,
    forMs === undefined ? '' : `for ${Number(forMs) / 1000} s`,
    on === undefined || on === 'write' ? '' : `on requests to ${on}`,
  ];
  return parts.filter((part) => part !== '').join(', ');
}

/** The rule that the form says. @returns {Rule} */
function ruleOfForm() {
  const kind = element('fault-kind').value;
  const share = Number(element('fault-share').value);
  const forMs = Number(element('fault-for').value);
  const pattern = element('fault-pattern').value;
  return {
    ...kinds[kind],
    ...(share < 1 && { share }),
    ...(forMs > 0 && { forMs }),
    ...(pattern !== '' && { pattern }),
  };
}

/** @param {(path: string) => Promise<any>} ask */
export function createFaults(ask) {
  const list = element('fault-list');
  let shown = '';

  async function look() {
    const rules = /** @type {Rule[]} */ (await ask('emulator/faults'));
    const text = JSON.stringify(rules);
    if (text === shown) return;
    shown = text;
    list.replaceChildren(
      ...rules.map((rule) => {
        const row = document.createElement('li');
        row.textContent = `The emulator ${ruleText(rule)}.`;
        return row;
      }),
    );
    const pill = element('fault-pill');
    pill.textContent =
      rules.length === 0 ? 'faults' : rules.length === 1 ? '1 fault' : `${rules.length} faults`;
    pill.className = rules.length === 0 ? 'pill' : 'pill warn';
    element('fault-end').hidden = rules.length === 0;
  }

  /** @param {Rule | {}} rule */
  async function set(rule) {
    const answer = await fetch('emulator/faults', { method: 'PUT', body: JSON.stringify(rule) });
    const { error } = await answer.json();
    element('fault-error').textContent = error?.message ?? '';
    await look();
  }

  element('fault-form').addEventListener('submit', (/** @type {Event} */ event) => {
    event.preventDefault();
    void set(ruleOfForm());
  });
  element('fault-end').addEventListener('click', () => void set({}));
  element('fault-pill').addEventListener('click', () => {
    const panel = element('faults');
    panel.hidden = !panel.hidden;
    element('fault-pill').setAttribute('aria-expanded', String(!panel.hidden));
  });
  return { look };
}
