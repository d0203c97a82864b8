// How one log file is read that cannot be read itself: from an unpacked `.gz`, or from a copy in
// the state directory.

export class SpoolState {
  #isNeeded = false;
  #isBusy = false;
  #dueMs = 0;
  #keptBytes: number | undefined;
  #plainBytes = 0;

  /** Its bytes can only be read through a spool file. */
  get isNeeded(): boolean {
    return this.#isNeeded;
  }

  /** Its bytes are being unpacked or copied. */
  get isBusy(): boolean {
    return this.#isBusy;
  }

  /** Not unpacked before this time, milliseconds since the epoch. */
  get dueMs(): number {
    return this.#dueMs;
  }

  /** Of its copy in the state directory, if there is one. */
  get keptBytes(): number | undefined {
    return this.#keptBytes;
  }

  /** Of the log before it was packed, at the last look; 0: unknown. */
  get plainBytes(): number {
    return this.#plainBytes;
  }

  notePlain(bytes: number): void {
    this.#plainBytes = bytes;
  }

  /** What a packed file claims to hold is not stored. */
  sureOf(size: number): number {
    return this.#isNeeded ? this.#plainBytes : size;
  }

  setNeeded(isNeeded: boolean): void {
    this.#isNeeded = isNeeded;
  }

  begin(): void {
    this.#isBusy = true;
  }

  end(): void {
    this.#isBusy = false;
  }

  postpone(dueMs: number): void {
    this.#dueMs = dueMs;
  }

  noteKept(bytes: number | undefined): void {
    this.#keptBytes = bytes;
  }
}
