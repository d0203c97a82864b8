// Opens what entries are sent to: the endpoint, and what else --output names.

import type { Control } from '../control.ts';
import type { Config } from '../options/options.ts';
import { createShipper, type Shipper } from '../ship/shipper.ts';

/**
 * Rejects with CONFIG_INVALID, CREDENTIALS_MISSING, PLAIN_HTTP_REFUSED or OUTPUT_UNWRITABLE. Loads
 * nothing of the outputs where the endpoint is the only one.
 */
export async function openShipper(
  config: Config,
  project: string,
  { log, standardOutput }: Control,
): Promise<Shipper> {
  const endpoint = config.output.includes('endpoint')
    ? await createShipper({ ...config, endpoint: new URL(config.endpoint), project }, { log })
    : undefined;
  const names = new Set(config.output);
  names.delete('endpoint');
  if (endpoint !== undefined && names.size === 0) return endpoint;
  const { openOutput } = await import('../ship/entry-output.ts');
  const { OutputShipper } = await import('../ship/output-shipper.ts');
  const outputs = await Promise.all(Array.from(names, (name) => openOutput(name, standardOutput)));
  return new OutputShipper({ endpoint, outputs, log });
}
