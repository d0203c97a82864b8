// `projects/P/logs/LOG_ID`: what a log's name may be, and which parent it belongs to.
//
// Every entry is checked, so verdicts are remembered: a node has a few names and writes them a
// million times.

export type LogName =
  | { readonly parent: string; readonly refusal?: undefined }
  | { readonly parent?: undefined; readonly refusal: string };

const nameShape = /^((?:projects|organizations|folders|billingAccounts)\/[^/]+)\/logs\/(.*)$/s;
/** The proto says "less than 512 characters" of the decoded id. */
const logIdLengthMax = 511;
const rememberedCountMax = 10_000;
const remembered = new Map<string, LogName>();

function judge(name: string): LogName {
  const match = nameShape.exec(name);
  const [parent, logId] = [match?.[1], match?.[2]];
  if (parent === undefined || logId === undefined || logId === '') {
    return { refusal: `Log name is not in the form projects/[PROJECT_ID]/logs/[LOG_ID]: ${name}` };
  }
  // A slash within the id has to be written %2F; a name is one path segment of the API's other
  // methods.
  const written = /[^A-Za-z0-9_.%-]/u.exec(logId)?.[0];
  if (written !== undefined) return { refusal: `Log name contains illegal character ${written}` };
  let decoded: string;
  try {
    decoded = decodeURIComponent(logId);
  } catch {
    return { refusal: 'Log name contains illegal character %' };
  }
  const illegal = /[^A-Za-z0-9/_.-]/u.exec(decoded)?.[0];
  if (illegal !== undefined) return { refusal: `Log name contains illegal character ${illegal}` };
  if (decoded.length > logIdLengthMax) {
    return { refusal: `Log ID is longer than ${logIdLengthMax} characters` };
  }
  return { parent };
}

/** The parent of a valid name, or why it is refused. */
export function parseLogName(name: string): LogName {
  let verdict = remembered.get(name);
  if (verdict === undefined) {
    verdict = judge(name);
    if (remembered.size >= rememberedCountMax) remembered.clear();
    remembered.set(name, verdict);
  }
  return verdict;
}
