/** Which STUN answers are let through: those of requests that this device sent, for 40 s. */
const LIFETIME_MS = 40_000;
const COOKIE = [0x21, 0x12, 0xa4, 0x42];

export class StunTransactions {
  readonly #sent = new Map<string, number>();

  sent(now: number, bytes: Uint8Array): void {
    if (!isStun(bytes) || ((bytes[0] ?? 0) & 1) !== 0 || ((bytes[1] ?? 0) & 0x10) !== 0) return;
    for (const [id, at] of this.#sent) if (now - at > LIFETIME_MS) this.#sent.delete(id);
    this.#sent.set(transactionId(bytes), now);
  }

  /** A response (class bits 10 or 11, RFC 8489 section 5) to an outstanding request. */
  answers(now: number, bytes: Uint8Array): boolean {
    if (!isStun(bytes) || ((bytes[0] ?? 0) & 1) === 0) return false;
    const sentAt = this.#sent.get(transactionId(bytes));
    return sentAt !== undefined && now - sentAt <= LIFETIME_MS;
  }
}

function isStun(bytes: Uint8Array): boolean {
  if (bytes.length < 20 || ((bytes[0] ?? 0) & 0xc0) !== 0) return false;
  const length = ((bytes[2] ?? 0) << 8) | (bytes[3] ?? 0);
  return length + 20 === bytes.length && COOKIE.every((byte, i) => bytes[4 + i] === byte);
}

function transactionId(bytes: Uint8Array): string {
  return bytes.subarray(8, 20).join();
}
