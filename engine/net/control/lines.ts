/** One JSON object a line, with a bound on the line. */

/** Splits a byte stream into lines. A line above `limit` bytes ends it: `feed` answers null from there on. */
export class LineReader {
  readonly #limit: number;
  #parts: Buffer[] = [];
  #length = 0;
  #overlong = false;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The lines that `chunk` completes, without their ends; null once a line was too long. */
  feed(chunk: Buffer): string[] | null {
    if (this.#overlong) return null;
    const lines: string[] = [];
    let from = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, from)) {
      if (!this.#keep(chunk.subarray(from, end))) return null;
      lines.push(Buffer.concat(this.#parts, this.#length).toString());
      this.#parts = [];
      this.#length = 0;
      from = end + 1;
    }
    return this.#keep(chunk.subarray(from)) ? lines : null;
  }

  #keep(part: Buffer): boolean {
    if (part.length === 0) return true;
    this.#length += part.length;
    this.#overlong = this.#length > this.#limit;
    if (this.#overlong) this.#parts = [];
    else this.#parts.push(part);
    return !this.#overlong;
  }
}

export const jsonLine = (value: unknown): string => `${JSON.stringify(value)}\n`;

/** Undefined for what is not JSON. */
export function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
