import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeNatPmp,
  encodeExternalAddressRequest,
  encodeMappingRequest,
} from '../../../engine/core/mapping/nat-pmp.ts';

const hex = (text: string) => Uint8Array.from(Buffer.from(text.replaceAll(/\s/g, ''), 'hex'));
const port = fc.integer({ min: 0, max: 65_535 });
const seconds = fc.integer({ min: 0, max: 0xffff_ffff });

describe('NAT-PMP requests', () => {
  it('are two bytes for the external address (RFC 6886, 3.2)', () => {
    expect(encodeExternalAddressRequest()).toEqual(hex('00 00'));
  });

  it('are twelve bytes for a mapping (RFC 6886, 3.3)', () => {
    const request = { internalPort: 51_820, externalPort: 40_000, lifetimeS: 7_200 };
    expect(encodeMappingRequest({ transport: 'udp', ...request })).toEqual(hex('00 01 0000 ca6c 9c40 00001c20'));
    expect(encodeMappingRequest({ transport: 'tcp', ...request })).toEqual(hex('00 02 0000 ca6c 9c40 00001c20'));
  });
});

describe('NAT-PMP responses', () => {
  it('tell the external address', () => {
    expect(decodeNatPmp(hex('00 80 0000 00000064 5102450a'))).toEqual({
      kind: 'ok',
      response: { op: 'external-address', epoch: 100, ip: '81.2.69.10' },
    });
  });

  it('tell what was mapped', () => {
    expect(decodeNatPmp(hex('00 82 0000 00000064 1ebc 9c40 00000e10'))).toEqual({
      kind: 'ok',
      response: {
        op: 'map',
        epoch: 100,
        transport: 'tcp',
        internalPort: 7_868,
        externalPort: 40_000,
        lifetimeS: 3_600,
      },
    });
  });

  it('may refuse in full or in eight bytes (RFC 6886, 3.5)', () => {
    const refused = { op: 'refused', epoch: 100, transport: 'udp', result: 2 };
    expect(decodeNatPmp(hex('00 81 0002 00000064'))).toEqual({
      kind: 'ok',
      response: { ...refused, internalPort: null },
    });
    expect(decodeNatPmp(hex('00 81 0002 00000064 ca6c 0000 00000000'))).toEqual({
      kind: 'ok',
      response: { ...refused, internalPort: 51_820 },
    });
  });

  it('round-trip every field', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(1, 2),
        port,
        port,
        seconds,
        seconds,
        (opcode, internalPort, externalPort, epoch, lifetimeS) => {
          const bytes = Buffer.alloc(16);
          bytes.writeUInt8(128 + opcode, 1);
          bytes.writeUInt32BE(epoch, 4);
          bytes.writeUInt16BE(internalPort, 8);
          bytes.writeUInt16BE(externalPort, 10);
          bytes.writeUInt32BE(lifetimeS, 12);
          expect(decodeNatPmp(bytes)).toEqual({
            kind: 'ok',
            response: {
              op: 'map',
              transport: opcode === 1 ? 'udp' : 'tcp',
              epoch,
              internalPort,
              externalPort,
              lifetimeS,
            },
          });
        },
      ),
    );
  });

  it('are malformed when they end early, run on, or are requests', () => {
    const whole = hex('00 81 0000 00000064 ca6c 9c40 00001c20');
    for (let length = 1; length < whole.length; length++) {
      expect(decodeNatPmp(whole.subarray(0, length)), `${length} bytes`).toEqual({ kind: 'malformed' });
    }
    expect(decodeNatPmp(hex('00 81 0000 00000064 ca6c 9c40 00001c20 00'))).toEqual({ kind: 'malformed' });
    expect(decodeNatPmp(hex('00 80 0000 00000064 5102450a 00'))).toEqual({ kind: 'malformed' });
    expect(decodeNatPmp(hex('00 01 0000 ca6c 9c40 00001c20'))).toEqual({ kind: 'malformed' });
    expect(decodeNatPmp(hex('00 83 0000 00000064 ca6c 9c40 00001c20'))).toEqual({ kind: 'malformed' });
  });

  it('never throw, whatever comes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 1_200 }), (bytes) => {
        const zero = Uint8Array.of(0, ...bytes);
        expect(decodeNatPmp(bytes).kind).toBe(bytes[0] === 0 ? decodeNatPmp(bytes).kind : 'not-ours');
        expect(['ok', 'malformed']).toContain(decodeNatPmp(zero).kind);
      }),
    );
  });
});
