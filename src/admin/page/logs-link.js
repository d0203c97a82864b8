// The link from a container to its entries, from the agent's template.

/**
 * undefined where the agent knows none.
 * @param {string | undefined} template
 * @param {Readonly<Record<string, string>>} values of the names in braces
 */
export function logsLinkFor(template, values) {
  const link = template?.replaceAll(/\{(\w+)\}/g, (_, /** @type {string} */ name) =>
    encodeURIComponent(values[name] ?? ''),
  );
  // The agent allows nothing else; a page should not have to trust it.
  return link !== undefined && /^https?:\/\//.test(link) ? link : undefined;
}
