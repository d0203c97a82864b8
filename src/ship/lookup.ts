// Name lookup with a cache: names are resolved once per TTL, and while the resolver fails or is
// slow, the last known addresses stay in use.
//
// Invariant: a name that was resolved once never fails again, nor blocks longer than
// `shipDnsSlowMs`.

import type { LookupAddress } from 'node:dns';
import { lookup } from 'node:dns/promises';
import type { LookupFunction } from 'node:net';
import { AgentError } from '../errors.ts';
import { within } from '../until-aborted.ts';
import type { ShipLimits } from '../ship-limits.ts';

/** Resolves a name to its addresses; outside of tests the system's getaddrinfo. */
export type Resolve = (hostname: string) => Promise<LookupAddress[]>;

export type LookupOptions = {
  /**
   * After `shipDnsSlowMs` the known addresses are used and the query goes on in the background;
   * after `shipConnectMs` a name that was never resolved fails.
   */
  readonly limits: Pick<ShipLimits, 'shipDnsTtlMs' | 'shipDnsSlowMs' | 'shipConnectMs'>;
  readonly nowMs: () => number;
  readonly resolve?: Resolve;
};

type Known = { addresses: LookupAddress[]; freshUntilMs: number; turn: number };

/** getaddrinfo, because /etc/hosts, search domains and nsswitch count. */
function resolveBySystem(hostname: string): Promise<LookupAddress[]> {
  return lookup(hostname, { all: true, order: 'verbatim' });
}

export class CachedLookup {
  readonly #options: LookupOptions;
  readonly #known = new Map<string, Known>();
  /** One query per name at a time: a hung getaddrinfo holds a thread that also reads files. */
  readonly #pending = new Map<string, Promise<void>>();

  constructor(options: LookupOptions) {
    this.#options = options;
  }

  /** In the shape of `dns.lookup`, for `net.connect`. */
  readonly lookup: LookupFunction = (hostname, options, callback) => {
    void this.#answer(hostname, options.all === true, callback);
  };

  /** The next lookup of each name queries again; known addresses stay in case that fails. */
  expire(): void {
    for (const known of this.#known.values()) known.freshUntilMs = 0;
  }

  async #answer(
    hostname: string,
    all: boolean,
    callback: Parameters<LookupFunction>[2],
  ): Promise<void> {
    let addresses: LookupAddress[];
    try {
      addresses = await this.#addresses(hostname);
    } catch (error) {
      callback(error as NodeJS.ErrnoException, []);
      return;
    }
    if (all) callback(null, addresses);
    else callback(null, addresses[0]?.address ?? '', addresses[0]?.family ?? 0);
  }

  /** The addresses, each call beginning with another one. */
  async #addresses(hostname: string): Promise<LookupAddress[]> {
    const known = this.#known.get(hostname);
    if (known === undefined || this.#options.nowMs() >= known.freshUntilMs) {
      const { limits } = this.#options;
      const ms = known === undefined ? limits.shipConnectMs : limits.shipDnsSlowMs;
      const text = `${hostname} was not resolved within ${ms / 1_000} s`;
      const query = within(this.#query(hostname), ms, new AgentError('SHIP_UNREACHABLE', text));
      await (known === undefined ? query : query.catch(() => undefined));
    }
    const usable = this.#known.get(hostname);
    if (usable === undefined) {
      throw new AgentError('SHIP_UNREACHABLE', `${hostname} has no address`);
    }
    const turn = usable.turn % usable.addresses.length;
    usable.turn += 1;
    return [...usable.addresses.slice(turn), ...usable.addresses.slice(0, turn)];
  }

  #query(hostname: string): Promise<void> {
    const pending = this.#pending.get(hostname);
    if (pending !== undefined) return pending;
    const query = this.#ask(hostname).finally(() => this.#pending.delete(hostname));
    // It may fail when nothing waits for it any more.
    query.catch(() => undefined);
    this.#pending.set(hostname, query);
    return query;
  }

  async #ask(hostname: string): Promise<void> {
    const addresses = await (this.#options.resolve ?? resolveBySystem)(hostname);
    if (addresses.length === 0) return;
    const freshUntilMs = this.#options.nowMs() + this.#options.limits.shipDnsTtlMs;
    const turn = this.#known.get(hostname)?.turn ?? 0;
    this.#known.set(hostname, { addresses, freshUntilMs, turn });
  }
}
