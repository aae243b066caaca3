/** Slow work by its request, the same in the worker, in process and in the simulator. */
import { scryptSync } from 'node:crypto';
import type { CryptoRequest, CryptoResult } from '../../core/room/contract.ts';
import { cpaceFinish, cpaceStart } from '../../core/crypto/cpace.ts';

type ScryptRequest = Extract<CryptoRequest, { kind: 'scrypt' }>;

/** scrypt with N = 2^16, r = 8 needs 64 MiB; Node's default stops at 32. */
const SCRYPT_MAX_MEMORY = 80 * 1024 * 1024;

/** Options of `node:crypto` for this request. */
export function scryptOptions(request: ScryptRequest) {
  return { N: request.n, r: request.r, p: request.p, maxmem: SCRYPT_MAX_MEMORY };
}

/** Never throws: a request that cannot be done is `failed`. */
export function runJob(request: CryptoRequest): CryptoResult {
  try {
    return compute(request);
  } catch {
    return { kind: 'failed' };
  }
}

function compute(request: CryptoRequest): CryptoResult {
  switch (request.kind) {
    case 'scrypt': {
      const key = scryptSync(request.password, request.salt, request.length, scryptOptions(request));
      return { kind: 'scrypt', key: new Uint8Array(key) };
    }
    case 'cpace-start':
      return { kind: 'cpace-start', ...cpaceStart(request) };
    case 'cpace-finish': {
      const isk = cpaceFinish(request);
      return isk === null ? { kind: 'failed' } : { kind: 'cpace-finish', isk };
    }
  }
}

/** One pair of runs on fixed input: the first real one then finds compiled code and filled tables. */
export function warmUp(): void {
  const bytes = new Uint8Array(32);
  const random = new Uint8Array(64).fill(7);
  for (let round = 0; round < 3; round++) {
    const { scalar, share } = cpaceStart({ prs: bytes, ci: bytes, sid: bytes, random });
    const own = { share, ad: bytes };
    cpaceFinish({ sid: bytes, scalar, role: 'initiator', own, peer: own });
  }
}
