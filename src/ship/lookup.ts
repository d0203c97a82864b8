// Name lookup with a memory: names are resolved once per ttl, and when the resolver fails or is
// slow, the last known addresses stay in use.
//
// Invariant: a name that was resolved once never again fails or blocks longer than
// `shipDnsSlowMs`.

import { lookup as systemLookup } from 'node:dns';
import type { LookupAddress } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { AgentError } from '../errors.ts';
import type { ShipLimits } from './ship-limits.ts';

export type Lookup = LookupFunction;

/** Resolves a name to its addresses; the system's getaddrinfo but for tests. */
export type Resolve = (hostname: string) => Promise<LookupAddress[]>;

export type LookupOptions = {
  /**
   * Past `shipDnsSlowMs` known addresses are used and the answer is awaited in the background; past
   * `shipConnectMs` a name that was never resolved fails.
   */
  readonly limits: Pick<ShipLimits, 'shipDnsTtlMs' | 'shipDnsSlowMs' | 'shipConnectMs'>;
  readonly nowMs: () => number;
  readonly resolve?: Resolve;
};

type Known = { addresses: LookupAddress[]; freshUntilMs: number; turn: number };

/** getaddrinfo, because /etc/hosts, search domains and nsswitch must count. */
function resolveBySystem(hostname: string): Promise<LookupAddress[]> {
  return new Promise((resolve, reject) => {
    systemLookup(hostname, { all: true, order: 'verbatim' }, (error, addresses) => {
      if (error === null) resolve(addresses);
      else reject(error);
    });
  });
}

export class CachedLookup {
  readonly #options: LookupOptions;
  readonly #known = new Map<string, Known>();
  /**
   * One query per name at a time: a hung getaddrinfo holds a thread of the pool that also reads
   * files.
   */
  readonly #pending = new Map<string, Promise<void>>();

  constructor(options: LookupOptions) {
    this.#options = options;
  }

  /** In the shape of `dns.lookup`, for `net.connect`. */
  readonly lookup: Lookup = (hostname, options, callback) => {
    void this.#answer(hostname, options.all === true, callback);
  };

  /**
   * Makes the next lookup of each name ask again; what is known stays for the case that this fails.
   */
  expire(): void {
    for (const known of this.#known.values()) known.freshUntilMs = 0;
  }

  async #answer(hostname: string, all: boolean, callback: Parameters<Lookup>[2]): Promise<void> {
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
      const query = this.#query(hostname);
      if (known === undefined) await within(query, limits.shipConnectMs, hostname);
      else await within(query, limits.shipDnsSlowMs, hostname).catch(() => undefined); // The known addresses stay in use.
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
    // It may fail after nobody waits for it any more.
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

async function within(query: Promise<void>, deadlineMs: number, hostname: string): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(
        new AgentError(
          'SHIP_UNREACHABLE',
          `${hostname} was not resolved within ${deadlineMs / 1_000} s`,
        ),
      );
    }, deadlineMs);
  });
  try {
    await Promise.race([query, late]);
  } finally {
    clearTimeout(timer);
  }
}
