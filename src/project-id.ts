// What may be the id of a Google Cloud project. Anything else would make a log name that the API
// refuses, and with it every entry.

/** Includes older project ids with a domain: `example.com:shop`. */
const pattern = /^(?:[a-z][a-z0-9.-]{0,61}[a-z0-9]:)?[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** For an error message: what is allowed. */
export const projectIdText = 'the id of a project, such as my-project-123';

export function isProjectId(text: string): boolean {
  return pattern.test(text);
}
