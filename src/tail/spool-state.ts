// How one log file is read when its own descriptor does not give its bytes: from a `.gz` that is
// unpacked first, or from a copy in the state directory.

export class SpoolState {
  #isNeeded = false;
  #isBusy = false;
  #dueMs = 0;
  #keptBytes: number | undefined;

  /** Its bytes can only be read through a spool file. */
  get isNeeded(): boolean {
    return this.#isNeeded;
  }

  /** Its bytes are being unpacked or copied. */
  get isBusy(): boolean {
    return this.#isBusy;
  }

  /** Not unpacked before this time, milliseconds since the epoch: the last try failed. */
  get dueMs(): number {
    return this.#dueMs;
  }

  /** Of its copy in the state directory. */
  get keptBytes(): number | undefined {
    return this.#keptBytes;
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

  /** A copy was made of it, or is gone. */
  noteKept(bytes: number | undefined): void {
    this.#keptBytes = bytes;
  }
}
