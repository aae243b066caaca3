import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodePcp, encodeAnnounceRequest, encodeMapRequest } from '../../../engine/core/mapping/pcp.ts';

const hex = (text: string) => Uint8Array.from(Buffer.from(text.replaceAll(/\s/g, ''), 'hex'));
const CLIENT = '00000000 00000000 0000ffff c0a8010a';
const NONCE = '0102030405060708090a0b0c';
const port = fc.integer({ min: 0, max: 65_535 });
const seconds = fc.integer({ min: 0, max: 0xffff_ffff });

describe('PCP requests', () => {
  it('are a header alone for ANNOUNCE (RFC 6887, 7.1 and 14.1)', () => {
    expect(encodeAnnounceRequest('192.168.1.10')).toEqual(hex(`02 00 0000 00000000 ${CLIENT}`));
  });

  it('are sixty bytes for MAP (RFC 6887, 11.1)', () => {
    const bytes = encodeMapRequest({
      client: '192.168.1.10',
      nonce: hex(NONCE),
      transport: 'udp',
      internalPort: 51_820,
      externalPort: 40_000,
      lifetimeS: 7_200,
    });
    const any = '00000000 00000000 0000ffff 00000000';
    expect(bytes).toEqual(hex(`02 01 0000 00001c20 ${CLIENT} ${NONCE} 11 000000 ca6c 9c40 ${any}`));
  });
});

describe('PCP requests over IPv6', () => {
  const client = '20010db8 00010000 00000000 00000002';

  it('come from the own address', () => {
    expect(encodeAnnounceRequest('2001:db8:1::2')).toEqual(hex(`02 00 0000 00000000 ${client}`));
  });

  it('ask for an IPv6 address by all zeros (RFC 6887, 11.1)', () => {
    const bytes = encodeMapRequest({
      client: '2001:db8:1::2',
      nonce: hex(NONCE),
      transport: 'udp',
      internalPort: 51_820,
      externalPort: 51_820,
      lifetimeS: 7_200,
    });
    const any = '00000000 00000000 00000000 00000000';
    expect(bytes).toEqual(hex(`02 01 0000 00001c20 ${client} ${NONCE} 11 000000 ca6c ca6c ${any}`));
  });
});

describe('PCP responses', () => {
  const header = (opcode: string, result = '00') =>
    `02 ${opcode} 00 ${result} 00000e10 00000064 00000000 00000000 00000000`;
  const data = `${NONCE} 06 000000 1ebc 9c40 00000000 00000000 0000ffff 5102450a`;
  const mapped = {
    op: 'map',
    result: 0,
    lifetimeS: 3_600,
    epoch: 100,
    nonce: NONCE,
    transport: 'tcp',
    internalPort: 7_868,
    externalPort: 40_000,
    externalIp: '81.2.69.10',
  };

  it('announce the epoch', () => {
    expect(decodePcp(hex(header('80')))).toEqual({
      kind: 'ok',
      response: { op: 'announce', result: 0, lifetimeS: 3_600, epoch: 100 },
    });
  });

  it('tell what was mapped, options or not', () => {
    expect(decodePcp(hex(`${header('81')} ${data}`))).toEqual({ kind: 'ok', response: mapped });
    expect(decodePcp(hex(`${header('81')} ${data} 02000000`))).toEqual({ kind: 'ok', response: mapped });
  });

  it('may refuse, or name an IPv6 address', () => {
    expect(decodePcp(hex(`${header('81', '08')} ${data}`))).toMatchObject({ response: { result: 8 } });
    const ipv6 = `${NONCE} 11 000000 ca6c 9c40 20010db8 00000000 00000000 00000001`;
    expect(decodePcp(hex(`${header('81')} ${ipv6}`))).toMatchObject({ response: { externalIp: '2001:db8::1' } });
  });

  it('round-trip every field', () => {
    const nonces = fc.uint8Array({ minLength: 12, maxLength: 12 });
    const transports = fc.constantFrom('udp' as const, 'tcp' as const);
    fc.assert(
      fc.property(
        nonces,
        transports,
        port,
        port,
        seconds,
        (nonce, transport, internalPort, externalPort, lifetimeS) => {
          const bytes = encodeMapRequest({
            client: '10.0.0.1',
            nonce,
            transport,
            internalPort,
            externalPort,
            lifetimeS,
          });
          bytes[1] = 0x81;
          const { response } = decodePcp(bytes) as { response: unknown };
          const wanted = {
            nonce: Buffer.from(nonce).toString('hex'),
            transport,
            internalPort,
            externalPort,
            lifetimeS,
          };
          expect(response).toMatchObject(wanted);
        },
      ),
    );
  });

  it('are malformed when they end early, are no multiple of four, too long, or of an unknown kind', () => {
    const whole = hex(`${header('81')} ${data}`);
    for (let length = 1; length < whole.length; length++) {
      expect(decodePcp(whole.subarray(0, length)), `${length} bytes`).toEqual({ kind: 'malformed' });
    }
    const long = new Uint8Array(1_104);
    long.set(whole);
    expect(decodePcp(long)).toEqual({ kind: 'malformed' });
    expect(decodePcp(hex(`${header('81')} ${data} 00`))).toEqual({ kind: 'malformed' });
    expect(decodePcp(hex(`${header('01')} ${data}`))).toEqual({ kind: 'malformed' });
    expect(decodePcp(hex(`${header('82')} ${data}`))).toEqual({ kind: 'malformed' });
    const icmp = data.replace(' 06 ', ' 01 ');
    expect(decodePcp(hex(`${header('81')} ${icmp}`))).toEqual({ kind: 'malformed' });
  });

  it('never throw, whatever comes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 1_200 }), (bytes) => {
        const ours = Uint8Array.of(2, ...bytes);
        expect(['ok', 'malformed']).toContain(decodePcp(ours).kind);
        if (bytes[0] !== 2) expect(decodePcp(bytes)).toEqual({ kind: 'not-ours' });
      }),
    );
  });
});
