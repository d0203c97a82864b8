// The part of autocannon that sink-capacity.ts uses; the package brings no types.

declare module 'autocannon' {
  type Options = {
    readonly url: string;
    readonly method: 'POST';
    readonly body: Uint8Array;
    readonly connections: number;
    /** Seconds. */
    readonly duration: number;
  };
  type Result = { readonly non2xx: number; readonly errors: number };
  const autocannon: (options: Options) => Promise<Result>;
  export default autocannon;
}
