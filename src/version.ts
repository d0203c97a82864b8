// The version of tailship, from package.json.

import { readFileSync } from 'node:fs';

type PackageJson = { readonly version: string };

const packageJson = readFileSync(new URL('../package.json', import.meta.url), 'utf8');

export const { version } = JSON.parse(packageJson) as PackageJson;
