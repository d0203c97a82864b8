// The errors of the emulated API: what a handler throws and what goes out as the body
// `{"error":{…}}`.
//
// These are Google's errors as a client sees them, not operating errors of the agent, hence no
// AgentError.

/** `google.rpc.Code` by number: name, and the HTTP status that Google's front end gives it. */
const rpcCodes: Readonly<Record<number, readonly [name: string, httpStatus: number]>> = {
  1: ['CANCELLED', 499],
  2: ['UNKNOWN', 500],
  3: ['INVALID_ARGUMENT', 400],
  4: ['DEADLINE_EXCEEDED', 504],
  5: ['NOT_FOUND', 404],
  6: ['ALREADY_EXISTS', 409],
  7: ['PERMISSION_DENIED', 403],
  8: ['RESOURCE_EXHAUSTED', 429],
  9: ['FAILED_PRECONDITION', 400],
  10: ['ABORTED', 409],
  11: ['OUT_OF_RANGE', 400],
  12: ['UNIMPLEMENTED', 501],
  13: ['INTERNAL', 500],
  14: ['UNAVAILABLE', 503],
  15: ['DATA_LOSS', 500],
  16: ['UNAUTHENTICATED', 401],
};

/** Where a status has several codes, the usual one: 400 INVALID_ARGUMENT, 500 INTERNAL. */
const codeByHttpStatus: Readonly<Record<number, number>> = {
  400: 3,
  401: 16,
  403: 7,
  404: 5,
  409: 10,
  429: 8,
  499: 1,
  500: 13,
  501: 12,
  503: 14,
  504: 4,
};

export type ErrorDetail = { readonly '@type': string; readonly [key: string]: unknown };

export const rpcCode = { invalidArgument: 3, notFound: 5, unauthenticated: 16 } as const;

/** An answer other than 200 with Google's JSON body. */
export class ApiError extends Error {
  readonly httpStatus: number;
  readonly details: readonly ErrorDetail[];
  readonly #status: string;

  constructor(code: number, message: string, details: readonly ErrorDetail[] = []) {
    super(message);
    const [status, httpStatus] = rpcCodes[code] ?? ['UNKNOWN', 500];
    this.#status = status;
    this.httpStatus = httpStatus;
    this.details = details;
  }

  /** The JSON text of the body. */
  get body(): string {
    return errorBody({
      httpStatus: this.httpStatus,
      message: this.message,
      status: this.#status,
      details: this.details,
    });
  }
}

function errorBody(error: {
  httpStatus: number;
  message: string;
  status: string;
  details: readonly ErrorDetail[];
}): string {
  const { httpStatus, message, status, details } = error;
  const members = { code: httpStatus, message, status, ...(details.length > 0 && { details }) };
  return JSON.stringify({ error: members }, undefined, 2);
}

/** The body for any HTTP status; one that no google.rpc code has is UNKNOWN. */
export function bodyOfHttpStatus(
  httpStatus: number,
  message: string,
  details: readonly ErrorDetail[] = [],
): string {
  const status = rpcCodes[codeByHttpStatus[httpStatus] ?? 2]?.[0] ?? 'UNKNOWN';
  return errorBody({ httpStatus, message, status, details });
}

export function invalidArgument(message: string, details: readonly ErrorDetail[] = []): ApiError {
  return new ApiError(rpcCode.invalidArgument, message, details);
}
