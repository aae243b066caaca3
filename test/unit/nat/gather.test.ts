import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseAddress } from '../../../engine/core/candidates/address.ts';
import { type GatherInput, gatherCandidates } from '../../../engine/core/candidates/gather.ts';

const input = (change: Partial<GatherInput>): GatherInput => ({
  hostAddresses: [],
  ports: { v4: 51_820, v6: 51_821 },
  reflexive: [],
  mapped: [],
  pinholed: [],
  static: [],
  relayOnly: false,
  ...change,
});
const real = (ip: string) => ({ ip, virtual: false });
const text = (change: Partial<GatherInput>) =>
  gatherCandidates(input(change)).map(({ kind, ip, port }) => `${kind} ${ip} ${port}`);

describe("a host's candidates", () => {
  it('come in the order LAN, IPv6, reflexive, static, other tunnels', () => {
    expect(
      text({
        hostAddresses: [{ ip: '10.8.0.2', virtual: true }, real('2001:db8::5'), real('192.168.1.10')],
        reflexive: [{ kind: 'reflexive', ip: '203.0.113.1', port: 4_000 }],
        static: [{ ip: '203.0.113.2', port: 5_000 }],
      }),
    ).toEqual([
      'lan 192.168.1.10 51820',
      'ipv6 2001:db8::5 51821',
      'reflexive 203.0.113.1 4000',
      'static 203.0.113.2 5000',
      'lan 10.8.0.2 51820',
    ]);
  });

  it('offer the address that the IPv6 router lets in before the other ones', () => {
    const addresses = [real('2001:db8::5'), real('2001:db8::7')];
    const pinholed = [{ ip: '2001:db8::7', port: 51_821 }];
    expect(text({ hostAddresses: addresses, pinholed })).toEqual(['ipv6 2001:db8::7 51821', 'ipv6 2001:db8::5 51821']);
  });

  it('leave out loopback, link-local and what is no address', () => {
    const ips = ['127.0.0.1', '::1', 'fe80::1', 'fe80::1%eth0', '169.254.3.4', 'eth0', '', '224.0.0.1'];
    expect(text({ hostAddresses: ips.map(real) })).toEqual([]);
  });

  it('name an endpoint once, however it is spelled', () => {
    expect(
      text({
        hostAddresses: [real('2001:DB8:0::5'), real('2001:db8::5')],
        reflexive: [{ kind: 'reflexive', ip: '2001:db8:0:0::5', port: 51_821 }],
      }),
    ).toEqual(['ipv6 2001:db8::5 51821']);
  });

  it('have none of a family without a socket', () => {
    expect(text({ hostAddresses: [real('2001:db8::5')], ports: { v4: 51_820, v6: null } })).toEqual([]);
  });

  it('are none with relay only', () => {
    expect(text({ hostAddresses: [real('192.168.1.10')], relayOnly: true })).toEqual([]);
  });

  it('are at most 32, and bridges by the dozen do not push out the reflexive one', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.ipV4(), fc.boolean()), { maxLength: 80 }), (addresses) => {
        const list = gatherCandidates(
          input({
            hostAddresses: addresses.map(([ip, virtual]) => ({ ip, virtual })),
            reflexive: [{ kind: 'reflexive', ip: '203.0.113.1', port: 4_000 }],
          }),
        );
        expect(list.length).toBeLessThanOrEqual(32);
        expect(list.some(({ ip, port }) => ip === '203.0.113.1' && port === 4_000)).toBe(true);
      }),
    );
  });
});

describe('an address', () => {
  it('has a scope', () => {
    const scopes = [
      '127.0.0.9',
      '10.1.2.3',
      '172.16.0.1',
      '192.168.0.1',
      '100.64.0.1',
      '8.8.8.8',
      '198.51.100.7',
      'fd00::1',
    ].map((ip) => parseAddress(ip)?.scope);
    expect(scopes).toEqual(['loopback', 'private', 'private', 'private', 'carrier-nat', 'global', 'global', 'private']);
  });

  it('in IPv4-mapped form is IPv4', () => {
    expect(parseAddress('::ffff:192.168.1.1')).toEqual({ ip: '192.168.1.1', family: 4, scope: 'private' });
  });

  it('never throws, whatever the text', () => {
    fc.assert(
      fc.property(fc.string(), (any) => {
        const address = parseAddress(any);
        if (address !== null) expect(parseAddress(address.ip)).toEqual(address);
      }),
    );
  });
});
