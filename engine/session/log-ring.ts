export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

export interface LogLine {
  /** Unix time in ms. */
  at: number;
  level: LogLevel;
  message: string;
}

/** What a person who helps may want to read back. */
const LINES_KEPT = 500;
/** Of one line; a stack fits. */
const LINE_CHARACTERS = 2_000;

/** The last lines of the log. */
export class LogRing {
  readonly #lines: LogLine[] = [];

  add(level: LogLevel, message: string): void {
    this.#lines.push({ at: Date.now(), level, message: message.slice(0, LINE_CHARACTERS) });
    if (this.#lines.length > LINES_KEPT) this.#lines.shift();
  }

  /** Oldest first. */
  lines(): readonly LogLine[] {
    return this.#lines;
  }
}
