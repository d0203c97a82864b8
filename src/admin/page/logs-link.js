// The link from a container to its entries, from the agent's template.

/**
 * undefined: there is none.
 * @param {string | undefined} template
 * @param {Readonly<Record<string, string>>} values of the names in braces
 */
export function logsLinkFor(template, values) {
  const link = template?.replaceAll(/\{(\w+)\}/g, (_, /** @type {string} */ name) =>
    encodeURIComponent(values[name] ?? ''),
  );
  // The agent allows nothing else, but the page does not rely on that.
  return link !== undefined && /^https?:\/\//.test(link) ? link : undefined;
}
