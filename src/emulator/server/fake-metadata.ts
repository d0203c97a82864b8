// A metadata server and a token endpoint, small: enough for an agent to find out where it runs and
// to get tokens that expire.
//
// It answers `/computeMetadata/v1/…` and `POST /token`. As with the real server, requests must
// carry the header `Metadata-Flavor: Google`, which comes back, and a zone reads
// `projects/<number>/zones/<zone>`.

import { randomBytes } from 'node:crypto';

export type MetadataOptions = {
  readonly projectId: string;
  readonly clusterName?: string;
  readonly clusterLocation?: string;
  readonly zone?: string;
  /** The node's name. */
  readonly name?: string;
  readonly tokenLifeSeconds?: number;
};

const root = '/computeMetadata/v1/';
const defaultTokenLifeSeconds = 3600;
const rememberedTokenCountMax = 1000;

/** Issued tokens, and until when they are valid. */
export class Tokens {
  readonly #lifeSeconds: number;
  /** Token → end, milliseconds of `performance.now()`. */
  readonly #issued = new Map<string, number>();

  constructor(lifeSeconds: number = defaultTokenLifeSeconds) {
    this.#lifeSeconds = lifeSeconds;
  }

  issue(): { access_token: string; expires_in: number; token_type: 'Bearer' } {
    const token = `ya29.${randomBytes(24).toString('base64url')}`;
    if (this.#issued.size >= rememberedTokenCountMax) this.#issued.clear();
    this.#issued.set(token, performance.now() + this.#lifeSeconds * 1000);
    return { access_token: token, expires_in: this.#lifeSeconds, token_type: 'Bearer' };
  }

  /** Undefined for a token from elsewhere. */
  isAlive(token: string): boolean | undefined {
    const endsAtMs = this.#issued.get(token);
    return endsAtMs === undefined ? undefined : performance.now() < endsAtMs;
  }

  /** Ends all tokens now, as a change of a service account's keys does. */
  expireAll(): void {
    for (const token of this.#issued.keys()) this.#issued.set(token, 0);
  }
}

export type MetadataAnswer = {
  readonly status: number;
  readonly body: string;
  readonly type: string;
};

/** Answers a metadata path; 404 for anything that this node does not have. */
export function answerMetadata(
  path: string,
  options: MetadataOptions,
  tokens: Tokens,
): MetadataAnswer {
  const text = (body: string | undefined): MetadataAnswer =>
    body === undefined
      ? { status: 404, body: 'Not Found', type: 'text/html' }
      : { status: 200, body, type: 'application/text' };
  const attributes: Record<string, string | undefined> = {
    'cluster-name': options.clusterName,
    'cluster-location': options.clusterLocation,
  };
  const key = path.startsWith(root) ? path.slice(root.length) : '';
  switch (key) {
    case 'project/project-id':
      return text(options.projectId);
    case 'project/numeric-project-id':
      return text('123456789012');
    case 'instance/zone':
      return text(options.zone && `projects/123456789012/zones/${options.zone}`);
    case 'instance/name':
      return text(options.name);
    case 'instance/id':
      return text('4520031799277581759');
    case 'instance/attributes/':
      return text(
        Object.keys(attributes)
          .filter((name) => attributes[name] !== undefined)
          .map((name) => `${name}\n`)
          .join(''),
      );
    case 'instance/service-accounts/default/email':
      return text(`tailship@${options.projectId}.iam.gserviceaccount.com`);
    case 'instance/service-accounts/default/token':
      return { status: 200, body: JSON.stringify(tokens.issue()), type: 'application/json' };
    default:
      return text(
        key.startsWith('instance/attributes/')
          ? attributes[key.slice('instance/attributes/'.length)]
          : undefined,
      );
  }
}
