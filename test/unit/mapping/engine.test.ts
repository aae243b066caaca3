/** What the engine makes of a mapping: a candidate, a line in the report, and nothing when it is off. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { MappingView, SavedLease } from '../../../engine/core/mapping/contract.ts';
import { isBehindAnotherNat } from '../../../engine/core/mapping/external.ts';
import { Mappings } from '../../../engine/mappings.ts';
import { leaseStore } from '../../../engine/net/mapping/store.ts';
import { UNKNOWN_NAT } from '../../../protocol/nat.ts';

class TestPort {
  opened: string[] = [];
  closed = 0;
  refreshed = 0;
  view: MappingView = { state: 'none' };

  open(transport: string, port: number) {
    this.opened.push(`${transport} ${port}`);
    return {
      view: () => this.view,
      refresh: () => void this.refreshed++,
      close: async () => void this.closed++,
    };
  }
}

const active = (ip: string): MappingView => ({ state: 'active', protocol: 'pcp', external: { ip, port: 4_000 } });
const seen = (...publicAddresses: string[]) => ({ ...UNKNOWN_NAT, publicAddresses });

describe('the engine’s mapping', () => {
  it('is opened once, and closed when it is turned off', async () => {
    const port = new TestPort();
    const mappings = new Mappings(port, 51_820, () => {});
    mappings.set(true);
    mappings.set(true);
    expect(port.opened).toEqual(['udp 51820']);
    mappings.set(false);
    await mappings.stop();
    await mappings.stop();
    expect(port.closed).toBe(1);
    expect(mappings.describe(UNKNOWN_NAT).portMapping).toEqual({ state: 'off' });
    expect(mappings.candidates()).toEqual([]);
  });

  it('is a candidate and in the report while it stands', () => {
    const port = new TestPort();
    const mappings = new Mappings(port, 51_820, () => {});
    mappings.set(true);
    expect(mappings.describe(UNKNOWN_NAT).portMapping).toEqual({ state: 'none' });
    port.view = { state: 'failed', why: 'no-resources' };
    expect(mappings.describe(UNKNOWN_NAT).portMapping).toEqual({ state: 'failed' });
    port.view = active('81.2.69.10');
    expect(mappings.candidates()).toEqual([{ kind: 'mapped', ip: '81.2.69.10', port: 4_000 }]);
    expect(mappings.describe(seen('81.2.69.10')).portMapping).toEqual({
      state: 'active',
      protocol: 'pcp',
      external: '81.2.69.10:4000',
      doubleNat: false,
    });
  });

  it('behind a carrier’s NAT is told as such, and offered', () => {
    const port = new TestPort();
    const mappings = new Mappings(port, 51_820, () => {});
    mappings.set(true);
    port.view = active('100.64.0.9');
    expect(mappings.describe(seen('81.2.69.10'))).toMatchObject({ cgnat: true, portMapping: { doubleNat: true } });
    expect(mappings.candidates()).toHaveLength(1);
  });

  it('is renewed when the public address changed, not when it is first seen', () => {
    const port = new TestPort();
    const mappings = new Mappings(port, 51_820, () => {});
    mappings.set(true);
    mappings.seen([]);
    mappings.seen(['81.2.69.10']);
    mappings.seen([]);
    mappings.seen(['81.2.69.10']);
    expect(port.refreshed).toBe(0);
    mappings.seen(['81.2.69.99']);
    mappings.seen(['81.2.69.99']);
    expect(port.refreshed).toBe(1);
  });

  it('does nothing where nothing can be mapped', () => {
    const none = new Mappings(null, 51_820, () => {});
    none.set(true);
    expect(none.describe(UNKNOWN_NAT).portMapping).toEqual({ state: 'none' });
    const port = new TestPort();
    new Mappings(port, null, () => {}).set(true);
    expect(port.opened).toEqual([]);
  });
});

describe('another NAT outside', () => {
  it.for([
    ['192.168.0.2', [], true],
    ['100.64.0.2', [], true],
    ['81.2.69.10', [], false],
    ['81.2.69.10', ['2001:db8::1'], false],
    ['81.2.69.10', ['81.2.69.10', '203.0.113.1'], false],
    ['81.2.69.10', ['203.0.113.1'], true],
  ] as const)('outer address %s, seen as %j: %s', ([external, reflexive, wanted]) => {
    expect(isBehindAnotherNat(external, reflexive)).toBe(wanted);
  });
});

describe('leases on disk', () => {
  const directory = mkdtempSync(join(tmpdir(), 'warren-leases-'));
  const path = join(directory, 'state', 'port-mappings.json');
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  const lease: SavedLease = {
    protocol: 'pcp',
    transport: 'udp',
    gateway: '192.168.1.1',
    internalPort: 51_820,
    externalPort: 40_000,
    nonce: '00112233445566778899aabb',
  };

  it('come back', () => {
    const store = leaseStore(path);
    expect(store.load()).toEqual([]);
    store.save([lease]);
    expect(leaseStore(path).load()).toEqual([lease]);
  });

  it.for(['', '{', 'null', '[{"protocol":"pcp"}]', JSON.stringify([{ ...lease, nonce: 'short' }])])(
    'are none in a file with %j',
    (text) => {
      writeFileSync(path, text);
      expect(leaseStore(path).load()).toEqual([]);
    },
  );
});
