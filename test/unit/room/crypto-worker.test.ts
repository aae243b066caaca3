import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { CryptoPort } from '../../../engine/ports.ts';
import type { CryptoResult } from '../../../engine/core/room/contract.ts';
import { createCryptoWorker, createInlineCrypto } from '../../../engine/net/crypto-worker/crypto-worker.ts';

/** The thread runs compiled code only; from source the same jobs run in process. */
const compiled = new URL('../../../build/engine/net/crypto-worker/crypto-worker.js', import.meta.url);
const built = existsSync(compiled);

function expectKind<K extends CryptoResult['kind']>(result: CryptoResult, kind: K): Extract<CryptoResult, { kind: K }> {
  if (result.kind !== kind) throw new Error(`expected ${kind}, got ${result.kind}`);
  return result as Extract<CryptoResult, { kind: K }>;
}

const bytes = (fill: number, length = 32) => new Uint8Array(length).fill(fill);

async function agree(crypto: CryptoPort): Promise<[Uint8Array, Uint8Array]> {
  const common = { prs: bytes(1), ci: bytes(2), sid: bytes(2) };
  const start = (fill: number) => crypto.run({ kind: 'cpace-start', ...common, random: bytes(fill, 64) });
  const a = expectKind(await start(3), 'cpace-start');
  const b = expectKind(await start(4), 'cpace-start');
  const [own, peer] = [
    { share: a.share, ad: bytes(5) },
    { share: b.share, ad: bytes(6) },
  ];
  const results = await Promise.all([
    crypto.run({ kind: 'cpace-finish', sid: bytes(2), scalar: a.scalar, role: 'initiator', own, peer }),
    crypto.run({ kind: 'cpace-finish', sid: bytes(2), scalar: b.scalar, role: 'responder', own: peer, peer: own }),
  ]);
  const [i, r] = results.map((result) => expectKind(result, 'cpace-finish').isk);
  return [i ?? bytes(0), r ?? bytes(1)];
}

function suite(create: () => CryptoPort): void {
  it('agrees on one key for both sides', async () => {
    const crypto = create();
    const [i, r] = await agree(crypto);
    expect(Buffer.from(i)).toEqual(Buffer.from(r));
    expect(i).toHaveLength(64);
    crypto.close();
  });

  it('derives the scrypt vector of RFC 7914 section 12, and the full cost without running out of memory', async () => {
    const crypto = create();
    const text = (string: string) => new Uint8Array(Buffer.from(string));
    const small = { kind: 'scrypt', password: text('pleaseletmein'), salt: text('SodiumChloride') } as const;
    const result = expectKind(await crypto.run({ ...small, n: 16_384, r: 8, p: 1, length: 64 }), 'scrypt');
    expect(Buffer.from(result.key).toString('hex')).toMatch(/^7023bdcb3afd7348461c06cd81fd38eb/);
    const full = await crypto.run({ ...small, n: 2 ** 16, r: 8, p: 1, length: 32 });
    expect(full.kind).toBe('scrypt');
    crypto.close();
  });

  it('answers failed for the identity and for nonsense', async () => {
    const crypto = create();
    const own = { share: bytes(1), ad: bytes(1) };
    const peer = { share: bytes(0), ad: bytes(1) };
    const finish = { kind: 'cpace-finish', sid: bytes(2), scalar: bytes(3), role: 'initiator', own } as const;
    expect(await crypto.run({ ...finish, peer })).toEqual({ kind: 'failed' });
    const start = { kind: 'cpace-start', prs: bytes(1), ci: bytes(1), sid: bytes(1), random: bytes(1, 3) } as const;
    expect(await crypto.run(start)).toEqual({ kind: 'failed' });
    crypto.close();
    crypto.close();
  });
}

describe('slow work in process', () => suite(createInlineCrypto));
describe('slow work as tests from source get it', () => suite(createCryptoWorker));

describe.skipIf(!built)(`slow work in a thread${built ? '' : ' (skipped: the engine is not compiled)'}`, async () => {
  const module: { createCryptoWorker: () => CryptoPort } = built ? await import(compiled.href) : { createCryptoWorker };
  suite(module.createCryptoWorker);

  it('fails what is under way when it is closed, and still works afterwards', async () => {
    const crypto = module.createCryptoWorker();
    const start = { kind: 'cpace-start', prs: bytes(1), ci: bytes(1), sid: bytes(1), random: bytes(1, 64) } as const;
    const pending = crypto.run(start);
    crypto.close();
    expect((await pending).kind).toBe('failed');
    expect((await crypto.run(start)).kind).toBe('cpace-start');
  });
});
