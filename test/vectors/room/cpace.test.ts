/** draft-irtf-cfrg-cpace-21, appendix B.3: ristretto255 and SHA-512. */
import { describe, expect, it } from 'vitest';
import { bytesToHex, hexToBytes, utf8ToBytes } from '../../../engine/core/crypto/bytes.ts';
import {
  calculateGenerator,
  cpaceFinish,
  cpaceStart,
  generatorString,
  publicShare,
  scalarMultVfy,
  transcriptIr,
} from '../../../engine/core/crypto/cpace.ts';
import { lvCat, prependLen } from '../../../engine/core/crypto/lv.ts';

const PRS = utf8ToBytes('Password');
const CI = utf8ToBytes('\u000bA_initiator\u000bB_responder');
const SID = hexToBytes('7e4b4791d6a8ef019b936c79fb7f2c57');
const YA = hexToBytes('da3d23700a9e5699258aef94dc060dfda5ebb61f02a5ea77fad53f4ff0976d08');
const YB = hexToBytes('d2316b454718c35362d83d69df6320f38578ed5984651435e2949762d900b80d');
const A = {
  share: hexToBytes('d6bac480f2c386c394efc7c47adb9925dcd2630b64f240c50f8d0eec482b9157'),
  ad: utf8ToBytes('ADa'),
};
const B = {
  share: hexToBytes('3ea7e0b19560d7c0b0f5734f63b955286dfa8232b5ebe63324e2d9e7433f7258'),
  ad: utf8ToBytes('ADb'),
};
const ISK =
  'b69effbf61b51d56401c0f65601abe428de8206feaaf0e32198896dcae7b35cd2b38950a39dfd5d4a79164614c2984f7daa460b588c1e80c3fa2068af7900447';

describe('CPACE-RISTR255-SHA512', () => {
  it('builds the generator string and the generator of B.3.1', () => {
    const string = generatorString(PRS, CI, SID);
    expect(string.length).toBe(170);
    expect(bytesToHex(string)).toBe(
      `11435061636552697374726574746f3235350850617373776f726464${'00'.repeat(100)}180b415f696e69746961746f720b425f726573706f6e646572107e4b4791d6a8ef019b936c79fb7f2c57`,
    );
    expect(bytesToHex(calculateGenerator(PRS, CI, SID))).toBe(
      '222b6b195fe84b1652badb6f6a3ae3d24341e7306967f0b8115b40d5698c7e56',
    );
  });

  it('makes the shares of B.3.2 and B.3.3', () => {
    expect(publicShare(PRS, CI, SID, YA)).toEqual(A.share);
    expect(publicShare(PRS, CI, SID, YB)).toEqual(B.share);
  });

  it('meets in the secret point of B.3.4', () => {
    const k = '80b69a8a76457ab6a4d7f887a4bf6b55a2f80ac19c333f917a05fc9887c8b40f';
    expect(bytesToHex(scalarMultVfy(YA, B.share) ?? new Uint8Array())).toBe(k);
    expect(bytesToHex(scalarMultVfy(YB, A.share) ?? new Uint8Array())).toBe(k);
  });

  it('derives the ISK of B.3.5 on both sides', () => {
    expect(bytesToHex(transcriptIr(A, B))).toBe(`20${bytesToHex(A.share)}0341446120${bytesToHex(B.share)}03414462`);
    const initiator = cpaceFinish({ sid: SID, scalar: YA, role: 'initiator', own: A, peer: B });
    const responder = cpaceFinish({ sid: SID, scalar: YB, role: 'responder', own: B, peer: A });
    expect(bytesToHex(initiator ?? new Uint8Array())).toBe(ISK);
    expect(bytesToHex(responder ?? new Uint8Array())).toBe(ISK);
  });

  it('multiplies as in B.3.10 and refuses the inputs of B.3.11', () => {
    const s = hexToBytes('7cd0e075fa7955ba52c02759a6c90dbbfc10e6d40aea8d283e407d88cf538a05');
    const x = hexToBytes('2c3c6b8c4f3800e7aef6864025b4ed79bd599117e427c41bd47d93d654b4a51c');
    const noElement = hexToBytes('2b3c6b8c4f3800e7aef6864025b4ed79bd599117e427c41bd47d93d654b4a51c');
    expect(bytesToHex(scalarMultVfy(s, x) ?? new Uint8Array())).toBe(
      '7c13645fe790a468f62c39beb7388e541d8405d1ade69d1778c5fe3e7f6b600e',
    );
    expect(scalarMultVfy(s, noElement)).toBeNull();
    expect(scalarMultVfy(s, new Uint8Array(32))).toBeNull();
    expect(
      cpaceFinish({ sid: SID, scalar: YA, role: 'initiator', own: A, peer: { share: new Uint8Array(32), ad: B.ad } }),
    ).toBeNull();
  });

  it('samples another share for other randomness, and agrees on one key', () => {
    const start = (fill: number) => cpaceStart({ prs: PRS, ci: CI, sid: SID, random: new Uint8Array(64).fill(fill) });
    const a = start(1);
    const b = start(2);
    expect(a.share).not.toEqual(b.share);
    const own = { share: a.share, ad: A.ad };
    const peer = { share: b.share, ad: B.ad };
    const i = cpaceFinish({ sid: SID, scalar: a.scalar, role: 'initiator', own, peer });
    const r = cpaceFinish({ sid: SID, scalar: b.scalar, role: 'responder', own: peer, peer: own });
    expect(i).not.toBeNull();
    expect(i).toEqual(r);
  });
});

describe('length-value strings (appendix A.1)', () => {
  it('prepends LEB128 lengths', () => {
    expect(bytesToHex(prependLen(utf8ToBytes('')))).toBe('00');
    expect(bytesToHex(prependLen(utf8ToBytes('1234')))).toBe('0431323334');
    expect(bytesToHex(prependLen(new Uint8Array(128)).slice(0, 2))).toBe('8001');
    expect(bytesToHex(lvCat(utf8ToBytes('1234'), utf8ToBytes('5'), utf8ToBytes(''), utf8ToBytes('678')))).toBe(
      '043132333401350003363738',
    );
  });
});
