import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseAddress } from '../../../engine/core/candidates/address.ts';
import { usableServers } from '../../../engine/core/nat/servers.ts';

const at = (ip: string) => ({ ip, port: 3478 });

describe('STUN servers as a server announces them', () => {
  it('keep what is usable and lose the rest', () => {
    const hostile = { primary: at('198.51.100.1'), secondPort: at('not an address'), alternate: at('2001:db8::1') };
    expect(usableServers([hostile], 4)).toEqual([{ primary: at('198.51.100.1'), secondPort: null, alternate: null }]);
    for (const ip of ['', 'localhost', '255.255.255.255', '224.0.0.1', '127.1', '0.0.0.0', '2001:db8::1']) {
      expect(usableServers([{ primary: at(ip), secondPort: null, alternate: null }], 4)).toEqual([]);
    }
  });

  it('spell an address in one way', () => {
    const both = ['::ffff:198.51.100.1', '198.51.100.1'].map((ip) => ({
      primary: at(ip),
      secondPort: null,
      alternate: at('::ffff:198.51.100.2'),
    }));
    expect(usableServers(both, 4)).toEqual([
      { primary: at('198.51.100.1'), secondPort: null, alternate: at('198.51.100.2') },
    ]);
  });

  it('never name what the device would refuse', () => {
    const text = fc.oneof(fc.string({ maxLength: 64 }), fc.ipV4(), fc.ipV6());
    const endpoint = fc.record({ ip: text, port: fc.integer({ min: 1, max: 65_535 }) });
    const server = fc.record({ primary: endpoint, secondPort: fc.option(endpoint), alternate: fc.option(endpoint) });
    fc.assert(
      fc.property(fc.array(server), fc.constantFrom(4 as const, 6 as const), (servers, family) => {
        for (const { primary, secondPort, alternate } of usableServers(servers, family)) {
          for (const { ip } of [primary, secondPort, alternate].filter((one) => one !== null)) {
            expect(parseAddress(ip)).toMatchObject({ ip, family });
          }
        }
      }),
    );
  });
});
