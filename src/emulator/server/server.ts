// The emulator: a local Cloud Logging behind plain HTTP, for tests, benchmarks, the demo and users'
// own development.
//
// This file is the routes; the rules of a write are in write-request.ts, of reading in
// list-request.ts, of going wrong on purpose in faults.ts. Invariant: a request is stored whole or
// not at all, and only after its last byte has come.

import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { AgentError } from '../../errors.ts';
import { pageHeaders, readPageFile } from '../../page-file.ts';
import { ApiError, bodyOfHttpStatus, invalidArgument, rpcCode } from '../protocol/api-error.ts';
import type { EntryKey, EntryStore } from '../store/entry-store.ts';
import type { MetadataOptions } from './fake-metadata.ts';
import { answerMetadata, Tokens } from './fake-metadata.ts';
import type { FaultRule, FaultTarget } from './faults.ts';
import { disrupt, Faults, readFaultRules, refuseByFault } from './faults.ts';
import type { Answer } from './route-answer.ts';
import { json, noAnswer, notFound, send } from './route-answer.ts';
import { listEntries, listLogs } from '../query/list-request.ts';
import { BoundedStore } from '../store/bounded-store.ts';
import { createExplorer, type Explorer } from '../page/explorer.ts';
import { pageTable } from '../page/page-table.ts';
import { ClientGone, readBody } from './request-body.ts';
import { SqliteStore } from '../store/sqlite-store.ts';
import { renderEntry } from '../store/stored-entry.ts';
import { instantNow } from '../protocol/timestamp.ts';
import { createEntryClock, errorOf, isWritten, readWriteRequest } from '../write/write-request.ts';

export type EmulatorOptions = {
  /** 0: any free port. */
  readonly port: number;
  readonly host?: string;
  /** SQLite file that keeps the entries; without it they are in memory. */
  readonly dataFile?: string;
  /** Memory for entries, beyond which the oldest are dropped; without it there is no limit. */
  readonly memoryBytes?: number;
  /** A FaultRule or a list of them, as JSON gives it. */
  readonly faults?: object;
  /** True: any bearer token that has not expired. A string: that token, or one issued here. */
  readonly requireToken?: boolean | string;
  readonly metadata?: MetadataOptions;
};

export type EmulatorStats = {
  /** Calls of entries:write, whatever their outcome. */
  readonly requests: number;
  /** Entries that write accepted, repeats included. */
  readonly entries: number;
  /** The distinct ones, those that were dropped included. */
  readonly distinctEntries: number;
  /** Entries of well-formed requests that were refused. */
  readonly rejectedEntries: number;
  /** Bodies of entries:write as sent, without those over the limit. */
  readonly bytes: number;
  /** TCP connections accepted so far. */
  readonly connections: number;
  readonly openConnections: number;
  /** Dropped for lack of room. */
  readonly droppedEntries: number;
};

export type Emulator = {
  readonly url: string;
  readonly port: number;
  readonly stats: () => EmulatorStats;
  readonly setFaults: (faults: object) => void;
  /** Ends every issued token: the next call with one answers 401. */
  readonly expireTokens: () => void;
  readonly close: () => Promise<void>;
};

/** As with Google's front end, longer than clients keep an idle connection. */
const keepAliveMs = 600_000;
/** Large, because a store in random order reads each of its blocks once a page. */
const exportPageCount = 20_000;
const exportChunkCount = 500;

const greeting = `tailship emulator: a local Cloud Logging

POST   /v2/entries:write             write entries
POST   /v2/entries:list              read entries (filter, orderBy, pageSize, pageToken)
GET    /v2/projects/P/logs           names of logs
DELETE /v2/projects/P/logs/L         delete a log
GET    /emulator/stats               counters
GET    /emulator/explore             newest entries that match, for the page at / in a browser
GET    /emulator/entries             all entries, NDJSON
DELETE /emulator/entries             forget all entries
GET    /emulator/faults              faults in force
PUT    /emulator/faults              go wrong on purpose; {} ends all faults
GET    /computeMetadata/v1/...       metadata server (when configured)
POST   /token                        OAuth token endpoint
`;

/** Answers until `close()`. Rejects with the error of `listen`, or AgentError for bad faults. */
export async function startEmulator(options: EmulatorOptions): Promise<Emulator> {
  const server = new EmulatorServer(options);
  return server.listen();
}

class EmulatorServer {
  readonly #options: EmulatorOptions;
  readonly #store: EntryStore;
  readonly #explorer: Explorer;
  readonly #faults = new Faults();
  readonly #tokens: Tokens;
  readonly #clock = createEntryClock();
  readonly #closing = new AbortController();
  readonly #sockets = new Set<Socket>();
  readonly #http: Server;
  #requests = 0;
  #entries = 0;
  #rejectedEntries = 0;
  #bytes = 0;
  #connections = 0;

  constructor(options: EmulatorOptions) {
    this.#options = options;
    this.#faults.set(readFaultRules(options.faults ?? {}));
    this.#store =
      options.dataFile === undefined
        ? new BoundedStore(options.memoryBytes ?? Number.POSITIVE_INFINITY)
        : new SqliteStore(options.dataFile);
    this.#explorer = createExplorer(this.#store);
    this.#tokens = new Tokens(options.metadata?.tokenLifeSeconds);
    this.#http = createServer({ keepAliveTimeout: keepAliveMs }, (request, response) => {
      void this.#serve(request, response);
    });
    this.#http.on('connection', (socket: Socket) => {
      this.#connections += 1;
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
  }

  async listen(): Promise<Emulator> {
    const { port, host = '127.0.0.1' } = this.#options;
    this.#http.listen(port, host);
    await once(this.#http, 'listening');
    const address = this.#http.address() as AddressInfo;
    const name = address.family === 'IPv6' ? `[${address.address}]` : address.address;
    return {
      url: `http://${name}:${address.port}`,
      port: address.port,
      stats: () => this.#stats(),
      setFaults: (faults) => this.#faults.set(readFaultRules(faults)),
      expireTokens: () => this.#tokens.expireAll(),
      close: () => this.#close(),
    };
  }

  async #close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    const closed = once(this.#http, 'close');
    this.#http.close();
    // Hanging requests never end on their own.
    for (const socket of this.#sockets) socket.destroy();
    await closed;
    this.#store.close();
  }

  #stats(): EmulatorStats {
    const { droppedCount = 0 } = this.#store;
    return {
      requests: this.#requests,
      entries: this.#entries,
      distinctEntries: this.#store.count + droppedCount,
      rejectedEntries: this.#rejectedEntries,
      bytes: this.#bytes,
      connections: this.#connections,
      openConnections: this.#sockets.size,
      droppedEntries: droppedCount,
    };
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const answer = await this.#route(request, response);
      if (answer !== noAnswer) send(response, answer);
    } catch (error) {
      if (error instanceof ClientGone || this.#closing.signal.aborted) response.destroy();
      else if (error instanceof ApiError) {
        send(response, { status: error.httpStatus, body: error.body });
      } else {
        // A bug of ours or a disk of the user's: only the client can show it.
        send(response, { status: 500, body: bodyOfHttpStatus(500, `Emulator: ${String(error)}`) });
      }
    }
  }

  async #route(
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<Answer | typeof noAnswer> {
    const [path = '/'] = (request.url ?? '/').split('?', 1);
    const route = `${request.method} ${path}`;
    if (route === 'POST /v2/entries:write') return this.#withFaults('write', request, response);
    if (route === 'POST /v2/entries:list') return this.#withFaults('list', request, response);
    if (route === 'POST /token') return this.#withFaults('token', request, response);
    if (path.startsWith('/computeMetadata/')) {
      return this.#withFaults('metadata', request, response);
    }
    const { body } = await readBody(request);
    if (path.startsWith('/v2/')) return this.#logs(request, path);
    switch (route) {
      case 'GET /emulator/explore':
        return { status: 200, body: this.#explorer.explore(queryOf(request)) };
      case 'GET /emulator/stats':
        return json(this.#stats());
      case 'GET /emulator/entries':
        response.writeHead(200, { 'content-type': 'application/x-ndjson' });
        await pipeline(Readable.from(exportEntries(this.#store)), response).catch(
          (error: unknown) => {
            throw new ClientGone('the reader went away', { cause: error });
          },
        );
        return noAnswer;
      case 'DELETE /emulator/entries':
        this.#store.clear();
        this.#explorer.forget();
        this.#requests = this.#entries = this.#rejectedEntries = this.#bytes = 0;
        return json({});
      case 'GET /emulator/faults':
        return json(this.#faults.rules);
      case 'PUT /emulator/faults':
        return this.#putFaults(body);
      default:
        return this.#page(request, path);
    }
  }

  /** The page for browsers, the greeting for curl. */
  async #page(request: IncomingMessage, path: string): Promise<Answer> {
    if (request.method !== 'GET') return notFound(path);
    if (path === '/' && request.headers.accept?.includes('text/html') !== true) {
      return { status: 200, body: greeting, type: 'text/plain; charset=utf-8' };
    }
    const file = await readPageFile(pageTable, path);
    if (file === undefined) return notFound(path);
    return { status: 200, body: file.body.toString(), type: file.type, headers: pageHeaders };
  }

  #putFaults(body: Buffer): Answer {
    try {
      this.#faults.set(readFaultRules(JSON.parse(body.toString('utf8') || '{}')));
    } catch (error) {
      if (error instanceof AgentError || error instanceof SyntaxError) {
        throw invalidArgument(error.message);
      }
      throw error;
    }
    return json({});
  }

  async #withFaults(
    target: FaultTarget,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<Answer | typeof noAnswer> {
    if (target === 'write') this.#requests += 1;
    const { body, wireBytes } = await readBody(request);
    if (target === 'write') this.#bytes += wireBytes;
    const { delayMs, rule } = this.#faults.decide(target, body);
    if (delayMs > 0) await sleep(delayMs, undefined, { signal: this.#closing.signal });
    if (rule === undefined) return this.#answer(target, request, body);
    if (rule.mode === 'partial') return this.#answer(target, request, body, rule);
    if (rule.mode === 'halfClose') {
      // A response gives up its socket before it reports its end.
      response.once('finish', () => request.socket.end());
      return this.#answer(target, request, body);
    }
    if (rule.after === true) this.#loseAnswer(target, request, body);
    return disrupt(rule, request, response);
  }

  /** Carries out the request and discards its answer, errors included. */
  #loseAnswer(target: FaultTarget, request: IncomingMessage, body: Buffer): void {
    try {
      this.#answer(target, request, body);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
    }
  }

  #answer(
    target: FaultTarget,
    request: IncomingMessage,
    body: Buffer,
    partial?: FaultRule,
  ): Answer {
    if (target === 'metadata') return this.#metadata(request);
    if (target === 'token') return json(this.#tokens.issue());
    this.#checkToken(request);
    return target === 'write' ? this.#write(body, partial) : json(listEntries(this.#store, body));
  }

  #metadata(request: IncomingMessage): Answer {
    const path = request.url ?? '/';
    const { metadata } = this.#options;
    if (metadata === undefined) return notFound(path);
    const headers = { 'metadata-flavor': 'Google' };
    if (request.headers['metadata-flavor'] !== 'Google') {
      const body = 'Missing Metadata-Flavor:Google header.';
      return { status: 403, body, type: 'text/html', headers };
    }
    return { ...answerMetadata(path.split('?', 1)[0] ?? path, metadata, this.#tokens), headers };
  }

  #checkToken(request: IncomingMessage): void {
    const { requireToken = false } = this.#options;
    if (requireToken === false) return;
    const token = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
    const isAlive = token === undefined ? undefined : this.#tokens.isAlive(token);
    if (isAlive === true) return;
    if (isAlive === undefined && token !== undefined && [true, token].includes(requireToken)) {
      return;
    }
    throw new ApiError(
      rpcCode.unauthenticated,
      'Request had invalid authentication credentials. Expected OAuth 2 access token, login ' +
        'cookie or other valid authentication credential.',
    );
  }

  #write(body: Buffer, partial: FaultRule | undefined): Answer {
    const receiveTime = instantNow();
    const request = readWriteRequest(body, { receiveTime, clock: this.#clock });
    const stored = partial === undefined ? request : refuseByFault(request, partial);
    if (isWritten(stored)) {
      this.#store.transaction(() => {
        for (const entry of stored.entries) {
          if (this.#store.add(entry)) this.#explorer.add(entry);
        }
      });
      this.#entries += stored.entries.length;
      this.#rejectedEntries += stored.refusals.size;
    } else if (!stored.dryRun) this.#rejectedEntries += stored.entryCount;
    const error = errorOf(stored);
    if (error !== undefined) throw error;
    return json({});
  }

  #logs(request: IncomingMessage, path: string): Answer {
    this.#checkToken(request);
    const match =
      /^\/v2\/((?:projects|organizations|folders|billingAccounts)\/[^/]+)\/logs(?:\/([^/]+))?$/.exec(
        path,
      );
    const [parent, logId] = [match?.[1], match?.[2]];
    if (parent !== undefined && logId === undefined && request.method === 'GET') {
      return json(listLogs(this.#store, { parent, query: queryOf(request) }));
    }
    if (parent !== undefined && logId !== undefined && request.method === 'DELETE') {
      const name = `${parent}/logs/${logId}`;
      this.#explorer.forget();
      if (this.#store.deleteLog(name) === 0) {
        throw new ApiError(rpcCode.notFound, `Log ${name} does not exist.`);
      }
      return json({});
    }
    return notFound(path);
  }
}

function queryOf(request: IncomingMessage): URLSearchParams {
  return new URL(request.url ?? '/', 'http://emulator').searchParams;
}

/** NDJSON, a page at a time. */
function* exportEntries(store: EntryStore): Generator<string> {
  let after: EntryKey | undefined;
  for (;;) {
    const page = store.page({ after, countMax: exportPageCount });
    after = page.at(-1);
    if (after === undefined) return;
    for (let start = 0; start < page.length; start += exportChunkCount) {
      const chunk = page.slice(start, start + exportChunkCount);
      yield chunk.map((entry) => `${JSON.stringify(renderEntry(entry))}\n`).join('');
    }
  }
}
