// The version of tailship, from package.json. Used by the CLI, the User-Agent and the admin server.

import packageJson from '../package.json' with { type: 'json' };

export const { version } = packageJson;
