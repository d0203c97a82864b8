// The limits of the page's live tail: what an open panel may cost the agent.

/** Part of `limits` in config.ts. */
export const tailLimits = {
  /** Each is a worker thread of its own, 36 MB. */
  tailPanelsMax: 2,
  /** A panel that somebody forgot closes after this. */
  tailPanelMs: 600_000,
  /** Lines of one second that match and are shown; the others are counted. */
  tailPanelLinesPerSecond: 200,
  /**
   * Of entries: a panel of a container that writes more falls behind, and says so. The main thread
   * takes 10 ms to parse these, and 50 ms to search them.
   */
  tailPanelBytesPerSecond: 256 * 1024,
  tailPanelLineCharactersMax: 16_384,
  /** That the browser has not read; what comes then is counted, and not shown. */
  tailPanelUnreadBytesMax: 1024 * 1024,
  /** Between two signs of life, with which a reader that is gone is noticed. */
  tailPanelBeatMs: 5_000,
} as const;
